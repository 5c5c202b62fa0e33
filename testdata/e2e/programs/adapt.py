"""Two distributions that share the namespace `zope`, one of them native."""

import zope.component
import zope.interface
from zope.interface import _zope_interface_coptimizations


class IShape(zope.interface.Interface):
    area = zope.interface.Attribute("area")


@zope.interface.implementer(IShape)
class Square:
    area = 4


def main():
    gsm = zope.component.getGlobalSiteManager()
    gsm.registerUtility(Square(), IShape)
    print(zope.component.getUtility(IShape).area, IShape.providedBy(Square()))
    print(_zope_interface_coptimizations.__name__)
