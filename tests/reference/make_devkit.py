"""tests/data/devkit.tar.gz: a development kit of six synsets, its meta.mat byte by byte as MATLAB writes such a file: compressed,
small whole numbers of class double packed as bytes, texts as UTF-16.

    make_devkit.py     (from the top of the project)
"""
import gzip, io, struct, tarfile, zlib

INT8, UINT8, UINT16, INT32, UINT32, MATRIX, COMPRESSED = 1, 2, 4, 5, 6, 14, 15
STRUCT_CLASS, CHAR_CLASS, DOUBLE_CLASS = 2, 4, 6
# ILSVRC2012_ID, WNID, words, gloss, num_children: ids in another order than WordNet's, and one that is no class.
SYNSETS = [
    (1, "n02119789", "kit fox, Vulpes macrotis", "small grey fox", 0),
    (2, "n02100735", "English setter", "an English breed", 0),
    (300, "n01440764", "tench, Tinca tinca", "freshwater dace-like game fish", 0),
    (4, "n03445777", "golf ball", "a small hard ball", 0),
    (5, "n00001740", "entity", "that which is", 3),
]


def element(kind, data):
    if len(data) <= 4 and kind != MATRIX:
        return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0")
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(kind, dims, content, name=b""):
    return element(MATRIX, element(UINT32, struct.pack("<II", kind, 0)) + element(INT32, struct.pack("<2i", *dims))
                   + element(INT8, name) + content)


def number(v):
    return matrix(DOUBLE_CLASS, (1, 1), element(UINT8, bytes([v])) if v < 256 else element(UINT16, struct.pack("<H", v)))


def text(s):
    return matrix(CHAR_CLASS, (1, len(s)), element(UINT16, s.encode("utf-16-le")))


names = [b"ILSVRC2012_ID", b"WNID", b"words", b"gloss", b"num_children"]
content = element(INT32, struct.pack("<i", 32)) + element(INT8, b"".join(n.ljust(32, b"\0") for n in names))
for i, wnid, words, gloss, children in SYNSETS:
    content += number(i) + text(wnid) + text(words) + text(gloss) + number(children)
packed = zlib.compress(matrix(STRUCT_CLASS, (len(SYNSETS), 1), content, b"synsets"))
meta = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + struct.pack("<H", 0x100) + b"IM"
meta += struct.pack("<II", COMPRESSED, len(packed)) + packed

out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
    for name, data in [("readme.txt", b"no kit"), ("data/ILSVRC2012_validation_ground_truth.txt", b"1\n300\n2\n4\n300\n"),
                       ("data/meta.mat", meta)]:
        entry = tarfile.TarInfo("ILSVRC2012_devkit_t12/" + name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
with open("tests/data/devkit.tar.gz", "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0) as z:
    z.write(out.getvalue())
