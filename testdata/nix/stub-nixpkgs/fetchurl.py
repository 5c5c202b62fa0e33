"""Fetch the first of some URLs that answers: `fetchurl.py OUT URL...`."""

import sys
import urllib.request

out, *urls = sys.argv[1:]
for url in urls:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except OSError as error:
        print(f"cannot fetch {url}: {error}", file=sys.stderr)
        continue
    with open(out, "wb") as file:
        file.write(content)
    break
else:
    sys.exit(1)
