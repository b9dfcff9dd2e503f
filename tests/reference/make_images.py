"""Small image files of every kind that ImageNet has or a reader may meet, and what Pillow and torchvision make of them.

    make_images.py           (from the top of the project; python3-pil, python3-torchvision, python3-h5py)
    make_images.py FOLDER    the same kinds in photographs' sizes, no golden files

Writes tests/data/images/CLASS/NAME, synthetic pictures of a fixed seed in three class folders, and tests/data/golden/images_*.h5:
u8 [N,crop,crop,3] in the order of the sorted paths, labels, paths.
"""
import io, os, shutil, struct, sys, zlib
import h5py, numpy as np
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

ROOT, GOLDEN = "tests/data/images", "tests/data/golden"
SCALE = 1
if len(sys.argv) > 1:
    ROOT, GOLDEN, SCALE = sys.argv[1], None, 5
rng = np.random.default_rng(20)


def picture(width, height, channels=3):
    """Waves, edges and noise: what a filter, chroma upsampling and rounding each show in."""
    width, height = width * SCALE, height * SCALE
    y, x = np.mgrid[:height, :width]
    planes = []
    for c in range(channels):
        wave = 60 * np.sin(x / (3 + 2 * c) + c) * np.cos(y / (4 + c))
        disc = 70 * ((x - width / 2) ** 2 + (y - height / (2 + c)) ** 2 < (min(width, height) / 3) ** 2)
        planes.append(100 + wave + disc + rng.normal(0, 12, (height, width)))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8).squeeze()


def jpeg(mode, width, height, **options):
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    out = io.BytesIO()
    Image.fromarray(picture(width, height, channels), mode).save(out, "JPEG", **{"quality": 85, **options})
    return out.getvalue()


def ycck(width, height):
    """A CMYK file whose Adobe marker says YCCK: decoders then convert the first three channels."""
    data = bytearray(jpeg("CMYK", width, height))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def exif(orientation):
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    return b"Exif\0\0" + tiff


def png(image, **options):
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def adam7(pixels):
    """An interlaced PNG, which Pillow does not write."""
    height, width, _ = pixels.shape
    rows = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for row in pixels[y0::dy, x0::dx]:
            rows += b"\0" + row.tobytes()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def rgba():
    return Image.fromarray(picture(50, 64, 4), "RGBA")


files = {
    "n01440764/chroma_420.JPEG": jpeg("RGB", 100, 75, subsampling=2),
    "n01440764/chroma_422.JPEG": jpeg("RGB", 75, 100, subsampling=1),
    "n01440764/chroma_444.JPEG": jpeg("RGB", 64, 48, subsampling=0, optimize=True),
    "n01440764/grey.JPEG": jpeg("L", 70, 60),
    "n01440764/odd.JPEG": jpeg("RGB", 61, 49),
    "n01440764/progressive.JPEG": jpeg("RGB", 90, 66, progressive=True),
    "n02099601/cmyk.JPEG": jpeg("CMYK", 60, 50),
    "n02099601/exif_rotated.JPEG": jpeg("RGB", 80, 60, exif=exif(6)),
    "n02099601/small.JPEG": jpeg("RGB", 31, 20),
    "n02099601/tall.JPEG": jpeg("RGB", 16, 260),
    "n02099601/wide.JPEG": jpeg("RGB", 300, 17),
    "n02099601/ycck.JPEG": ycck(64, 50),
    "n03445777/alpha.png": png(rgba()),
    "n03445777/bits.png": png(Image.fromarray(picture(80, 50, 1), "L").convert("1")),
    "n03445777/colours.png": png(Image.fromarray(picture(70, 50), "RGB").quantize(13), bits=4),
    "n03445777/grey.png": png(Image.fromarray(picture(50, 70, 1), "L")),
    "n03445777/interlaced.png": adam7(picture(45, 53)),
    "n03445777/png_called.JPEG": png(Image.fromarray(picture(60, 45), "RGB")),
    "n03445777/transparent.png": png(Image.fromarray(picture(40, 60), "RGB").quantize(40), transparency=bytes(range(40))),
}
if GOLDEN:
    shutil.rmtree(ROOT, ignore_errors=True)
for path, data in files.items():
    os.makedirs(os.path.dirname(f"{ROOT}/{path}"), exist_ok=True)
    with open(f"{ROOT}/{path}", "wb") as f:
        f.write(data)

if not GOLDEN:
    sys.exit()
paths = sorted(files)
classes = sorted({p.split("/")[0] for p in paths})
for name, resize, crop, interpolation in [
    ("bicubic", 48, 40, InterpolationMode.BICUBIC),
    ("bilinear", 36, 31, InterpolationMode.BILINEAR),
]:
    tf = transforms.Compose([transforms.Resize(resize, interpolation=interpolation), transforms.CenterCrop(crop)])
    with h5py.File(f"{GOLDEN}/images_{name}.h5", "w") as h:
        images = [np.asarray(tf(Image.open(f"{ROOT}/{p}").convert("RGB")), np.uint8) for p in paths]
        h.create_dataset("images", data=np.stack(images), compression="gzip", shuffle=True)
        h["labels"] = np.array([classes.index(p.split("/")[0]) for p in paths], np.int32)
        h["paths"] = np.array(paths, dtype=h5py.string_dtype())
