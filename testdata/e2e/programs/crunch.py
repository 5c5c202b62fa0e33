"""Numbers through three native packages, their sub-packages and their data files."""

import sys


def main():
    import numpy
    import pandas
    from scipy import optimize, stats

    matrix = numpy.arange(12.0).reshape(3, 4)
    print("singular values", [round(float(value), 6) for value in numpy.linalg.svd(matrix, compute_uv=False)[:2]])
    frame = pandas.DataFrame({"key": list("abab"), "value": [1, 2, 3, 4]})
    print(frame.groupby("key")["value"].sum().to_dict())
    print("zone", pandas.Timestamp("2024-07-01", tz="Europe/Berlin").isoformat())
    print("root", round(float(optimize.brentq(lambda x: x * x - 2, 0, 2)), 9))
    print("quantile", round(float(stats.norm.ppf(0.975)), 6))
    if sys.argv[1:]:
        numpy.linalg.inv(numpy.zeros((2, 2)))
