// Times FAISS's exact search of the rows and probes in two files of float32
// values: usage faiss ROWS PROBES REPEATS RADIUS, RADIUS a squared distance.
// Prints milliseconds a query, top 50 and radius: a probe's best of the
// repeats, the median of the probes. Then the nearest row of each probe.
#include <faiss/IndexFlat.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

static std::vector<float> values(const char* path) {
    FILE* f = fopen(path, "rb");
    if (!f) exit(2);
    fseek(f, 0, SEEK_END);
    std::vector<float> v(ftell(f) / sizeof(float));
    rewind(f);
    if (fread(v.data(), sizeof(float), v.size(), f) != v.size()) exit(2);
    fclose(f);
    return v;
}

template <class F> static double best(int repeats, F search) {
    double least = 1e30;
    for (int i = 0; i < repeats; i++) {
        auto start = std::chrono::steady_clock::now();
        search();
        std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        least = std::min(least, took.count());
    }
    return least;
}

static double median(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
}

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    const int dims = 128, top = 50;
    omp_set_num_threads(1);
    std::vector<float> probes = values(argv[2]);
    faiss::IndexFlatL2 index(dims);
    {
        std::vector<float> rows = values(argv[1]);
        index.add(rows.size() / dims, rows.data());
    }
    const int repeats = atoi(argv[3]);
    const float radius = atof(argv[4]);
    std::vector<double> tops, radii;
    std::vector<long> nearest;
    for (size_t p = 0; p < probes.size() / dims; p++) {
        const float* probe = probes.data() + p * dims;
        std::vector<float> distances(top);
        std::vector<faiss::Index::idx_t> labels(top);
        tops.push_back(best(repeats, [&] { index.search(1, probe, top, distances.data(), labels.data()); }));
        radii.push_back(best(repeats, [&] {
            faiss::RangeSearchResult found(1);
            index.range_search(1, probe, radius, &found);
        }));
        nearest.push_back(labels[0]);
    }
    printf("%.3f %.3f", median(tops), median(radii));
    for (long n : nearest) printf(" %ld", n);
    printf("\n");
}
