/* HDF5 files for fuzz targets: a good file, some of whose values an input changes.
 *
 * libhdf5 crashes on hostile files by itself (docs/datasets.md), so an input never is one: it says
 * what a file that libhdf5 writes holds. What this project's code makes of values, dimensions,
 * types and missing parts is all there is to find.
 */
#ifndef QSV_FUZZ_H5_H
#define QSV_FUZZ_H5_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_h5;

/* Reads a good file, sealed (core/seal.h) or not; never freed. */
struct fuzz_h5 *fuzz_h5_load(const char *path);

/* The path of a temporary file with the changes that an input asks for, sealed anew where it was
 * sealed; valid until the same slot's next call. Without any it must be accepted, or nothing would
 * be tried. Changes follow each other, each with a head of six bytes:
 *
 *     what (0 to 3), which object, where (2 bytes), how much (2 bytes)
 *
 * 0: bytes of the value are replaced by as many that follow; 1: a dataset has `where` rows;
 * 2: the object is gone; 3: it has another type, by number, and is zero. */
const char *fuzz_h5_change(const struct fuzz_h5 *h5, unsigned slot, const uint8_t *data,
                           size_t size);

#endif
