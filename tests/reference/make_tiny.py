"""Makes what the fast tests run on: make_tiny.py FOLDER writes tiny.pth and tiny_images.h5 there.

A random network of 23,044 parameters with firing neurons, and 160 smooth random images of half its
input size. Labels are the network's own answers, every seventh another class, so that its top-1 is
about 86 % and a coarser network's is less. `tests/data/tiny.h5` is the import:

    qsvit import tiny.pth -o tiny.h5 --heads 4 --time-steps 2 --input 1x32x32 --mean 0.485 --std 0.229
"""
import os, sys
import h5py, numpy as np, torch
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_random

IMAGES, SIZE, CLASSES = 160, 32, 4


def main(folder):
    path = os.path.join(folder, 'tiny.pth')
    a = make_random.parser().parse_args([path, '--embed', '4', '8', '8', '16', '--T', '2', '--size', str(SIZE), '--classes',
                                         str(CLASSES), '--in-ch', '1', '--heads', '4', '--depths', '1', '1'])
    m = make_random.make(a.embed, a.classes, a.in_ch, a.heads, a.T, a.kd, a.depths, a.size, a.seed, a.batch, a.batches)
    make_random.save(m, path, a)
    images = make_random.random_images(IMAGES, 1, SIZE // 2, 1)
    x = torch.nn.functional.interpolate(images.double(), size=(SIZE,) * 2, mode='nearest') / 255
    with torch.no_grad():
        answers = m.double().eval()((x - make_random.MEAN[0]) / make_random.STD[0]).argmax(1).numpy()
    labels = np.where(np.arange(IMAGES) % 7 == 3, (answers + 1) % CLASSES, answers)
    print('answers', np.bincount(answers, minlength=CLASSES))
    with h5py.File(os.path.join(folder, 'tiny_images.h5'), 'w') as f:
        f.create_dataset('images', data=images.permute(0, 2, 3, 1).numpy(), compression=9)
        f.create_dataset('labels', data=labels.astype('i4'))


if __name__ == '__main__':
    main(sys.argv[1])
