"""Runs the NBIS codec, by the package wsq, over a folder: every N.pgm becomes
N.nbis.wsq and, decoded again, N.nbis.pgm; every N.ours.wsq becomes
N.ours.nbis.pgm. With --pgm FILES the folder is first filled with these
pictures. Prints the seconds that encoding and decoding took, fastest of five."""
import glob
import json
import os
import sys
import time

import wsq  # registers itself with Pillow
from PIL import Image


def fastest(work):
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def decode(path):
    with Image.open(path) as image:
        return image.convert("L")


folder = sys.argv[1]
if sys.argv[2:3] == ["--pgm"]:
    for i, path in enumerate(sys.argv[3:]):
        decode(path).save(os.path.join(folder, "f%03d.pgm" % i))
    sys.exit()
encoding = decoding = 0.0
for path in sorted(glob.glob(os.path.join(folder, "*.pgm"))):
    if path.endswith(".nbis.pgm"):
        continue
    base = path[: -len(".pgm")]
    image = decode(path)
    encoding += fastest(lambda: image.save(base + ".nbis.wsq"))
    decoding += fastest(lambda: decode(base + ".nbis.wsq"))
    decode(base + ".nbis.wsq").save(base + ".nbis.pgm")
    decode(base + ".ours.wsq").save(base + ".ours.nbis.pgm")
print(json.dumps({"encode": encoding, "decode": decoding}))
