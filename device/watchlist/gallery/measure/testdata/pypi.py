# As debian.cc, for the faiss-cpu package.
import statistics
import sys
import time

import faiss
import numpy as np

rows_file, probes_file, repeats, radius = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
faiss.omp_set_num_threads(1)
index = faiss.IndexFlatL2(128)
index.add(np.fromfile(rows_file, np.float32).reshape(-1, 128))


def best(search):
    least = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        search()
        least = min(least, time.perf_counter() - start)
    return 1000 * least


tops, radii, nearest = [], [], []
for probe in np.fromfile(probes_file, np.float32).reshape(-1, 1, 128):
    tops.append(best(lambda: index.search(probe, 50)))
    radii.append(best(lambda: index.range_search(probe, radius)))
    nearest.append(index.search(probe, 1)[1][0][0])
print("%.3f %.3f" % (statistics.median(tops), statistics.median(radii)), *nearest)
