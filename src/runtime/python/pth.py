# Runs the .pth files of the packed distributions as the site module does for site-packages.
import os
import sys


def exists(path, site, loader):
    """Whether a path is there, be it inside the archive."""
    if os.path.exists(path):
        return True
    if os.path.isdir(site):
        return False
    import zipimport

    inside = os.path.relpath(path, site) + os.sep
    directories = zipimport._zip_directory_cache  # type: ignore[attr-defined]
    return any(name.startswith(inside) for name in directories.get(loader.archive, ()))


def run_line(sitedir, line):
    # Namespace .pth files of setuptools read `sitedir` from the frame that runs them.
    exec(line)


def run_pth(site, names, loader):
    """Run the lines that start with `import`, append the directories that the others name."""
    known = set(sys.path)
    for name in names:
        path = os.path.join(site, name)
        try:
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
            else:
                data = loader.get_data(os.path.join(loader.archive, name))
        except OSError as error:
            sys.stderr.write("cannot read %s: %s\n" % (path, error))
            continue
        for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
            line = line.rstrip()
            if not line or line.startswith("#"):
                continue
            try:
                if line.startswith(("import ", "import\t")):
                    run_line(site, line)
                    continue
                directory = os.path.abspath(os.path.join(site, line))
                if directory not in known and exists(directory, site, loader):
                    known.add(directory)
                    sys.path.append(directory)
            except Exception:
                import traceback

                sys.stderr.write("Error processing line %d of %s:\n\n" % (number, path))
                sys.stderr.write(traceback.format_exc() + "\nRemainder of file ignored\n")
                break
