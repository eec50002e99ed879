# A package of Spack for pmf: doc/cluster.md says how to use it. Its needs are those of m4/packages.txt.
from spack.package import *


class Pmf(AutotoolsPackage):
    """Pixel MeanFlow: one-step image generation in pixels, trained with MPI on CPUs."""

    homepage = "https://arxiv.org/abs/2601.22158"

    # Built from a source tree: spack dev-build pmf@0.1.0
    version("0.1.0")

    variant("plots", default=True, description="gnuplot, which pmf plot draws with")
    variant("bf16", default=False, description="products in bf16 by oneDNN")

    depends_on("c", type="build")
    depends_on("m4", type="build")
    depends_on("autoconf", type="build")
    depends_on("automake", type="build")
    depends_on("libtool", type="build")
    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("openmpi")
    depends_on("openblas threads=openmp")
    depends_on("hdf5+mpi")
    depends_on("libyaml")
    depends_on("libpng")
    depends_on("libjpeg-turbo")
    depends_on("zlib-api")
    depends_on("libzip")
    depends_on("xxhash")
    depends_on("cjson")
    depends_on("protobuf-c")
    depends_on("openssl")
    depends_on("hwloc")
    depends_on("sleef")
    depends_on("random123")
    depends_on("check")
    depends_on("onednn@2", when="+bf16")
    depends_on("gnuplot", when="+plots", type="run")

    def configure_args(self):
        # Spack's compiler wrapper chooses the instruction set by the target.
        return ["--with-arch=no", "--with-onednn=" + ("yes" if "+bf16" in self.spec else "no"), "MPIRUN=" + self.spec["mpi"].prefix.bin.mpirun]
