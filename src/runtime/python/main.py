# The start of a .pyz made by pyzpack. Python compiles this file twice at each start (zipimport does, to find it and to
# get it), so it does no more than run the next one. Both must parse on Python 2.7, for boot.py to say there that it
# does not fit.
path = __loader__.archive + "/_pyzpack/find.py"
found = {"__name__": "_pyzpack_find", "__file__": path, "__loader__": __loader__}
exec(compile(__loader__.get_data(path), path, "exec"), found)
found["begin"](globals(), found)
