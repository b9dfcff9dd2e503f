# SPDX-License-Identifier: Apache-2.0
"""Spack recipe. Put this file into a repository of yours:

    spack repo create myrepo && mkdir -p myrepo/packages/qsvit
    cp packaging/spack/package.py myrepo/packages/qsvit/ && spack repo add myrepo

and install from the archive that `make dist` has written, from its folder, or from a work tree:

    spack install --no-checksum qsvit
    spack dev-build qsvit@0.1.0
"""

import os

from spack.package import *


class Qsvit(MakefilePackage):
    """Weight precision per layer for spiking vision transformers, searched for on MPI clusters."""

    license("Apache-2.0")
    manual_download = True

    version("0.1.0")

    depends_on("c", type="build")
    depends_on("gmake@4:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("openmpi@4:", type=("build", "link", "run"))
    depends_on("hdf5@1.10.7:")
    depends_on("libyaml")
    depends_on("libarchive")
    depends_on("zlib-api")
    depends_on("jansson")
    depends_on("xxhash@0.8:")
    depends_on("netlib-lapack+lapacke")
    depends_on("libjpeg-turbo")
    depends_on("libpng")
    depends_on("matio")

    def url_for_version(self, version):
        return f"file://{os.getcwd()}/qsvit-{version}.tar.gz"

    @property
    def build_targets(self):
        # Spack's compiler wrapper chooses the optimisation level of the machine; warnings of a
        # compiler that this version does not know yet are no reason not to build.
        return ["WERROR=", "V=1", "all"]

    @property
    def install_targets(self):
        return ["WERROR=", f"PREFIX={self.prefix}", "install"]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        qsvit = Executable(self.prefix.bin.qsvit)
        qsvit("version")
        qsvit("inspect", join_path(self.prefix.share, "qsvit", "sdtv2_fmnist_t4.h5"))
