# The checks that configure.ac repeats.

# PMF_MISSING(NEED): remembers that a line of m4/packages.txt is not met.
AC_DEFUN([PMF_MISSING], [pmf_missing="$pmf_missing $1"])

# PMF_PACKAGE(VARIABLE, MODULE [, NEED = MODULE]): VARIABLE_CFLAGS and VARIABLE_LIBS by pkg-config.
AC_DEFUN([PMF_PACKAGE], [PKG_CHECK_MODULES([$1], [$2], [], [PMF_MISSING([m4_default([$3], [$2])])])])

# PMF_FLAG(VARIABLE, FLAG): adds FLAG to VARIABLE if the compiler takes it without a word.
AC_DEFUN([PMF_FLAG], [
  AC_MSG_CHECKING([whether $CC takes $2])
  pmf_flag_saved=$CFLAGS
  CFLAGS="$CFLAGS -Werror $2"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes]); $1="$$1 $2"], [AC_MSG_RESULT([no])])
  CFLAGS=$pmf_flag_saved
])

# PMF_MPI: MPI_CFLAGS and MPI_LIBS, both empty where CC is an MPI wrapper.
AC_DEFUN([PMF_MPI], [
  AC_ARG_VAR([MPI_CFLAGS], [C compiler flags for MPI, empty with mpicc])
  AC_ARG_VAR([MPI_LIBS], [linker flags for MPI, empty with mpicc])
  AC_MSG_CHECKING([for MPI])
  pmf_mpi=no
  pmf_mpi_cflags=$CFLAGS pmf_mpi_libs=$LIBS
  for pmf_module in "" ompi-c ompi mpich; do
    if test -n "$pmf_module"; then
      test -n "$PKG_CONFIG" || continue
      MPI_CFLAGS=`$PKG_CONFIG --cflags $pmf_module 2>/dev/null` || continue
      MPI_LIBS=`$PKG_CONFIG --libs $pmf_module 2>/dev/null` || continue
    fi
    CFLAGS="$pmf_mpi_cflags $MPI_CFLAGS" LIBS="$MPI_LIBS $pmf_mpi_libs"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>]], [[return MPI_Init(0, 0)]])],
                   [pmf_mpi="${pmf_module:-through $CC}"; break])
  done
  CFLAGS=$pmf_mpi_cflags LIBS=$pmf_mpi_libs
  AC_MSG_RESULT([$pmf_mpi])
  AS_IF([test "$pmf_mpi" = no], [PMF_MISSING([mpi])])
])

# PMF_OPENBLAS: OPENBLAS_CFLAGS and OPENBLAS_LIBS of a library whose openblas_get_parallel() says 2, OpenMP, and that has
# LAPACK: a build of it may have been told NO_LAPACK=1, and then the link of pmf would fail at the end. Where several
# flavours are installed (Debian), the OpenMP one lies in a folder of its own, which the loader does not search: hence the
# run path. When cross-compiling the answer cannot be had, and the first that links is taken.
AC_DEFUN([PMF_OPENBLAS], [
  AC_ARG_VAR([OPENBLAS_CFLAGS], [C compiler flags for OpenBLAS])
  AC_ARG_VAR([OPENBLAS_LIBS], [linker flags for OpenBLAS, the OpenMP flavour])
  AC_MSG_CHECKING([for OpenBLAS, the OpenMP flavour])
  pmf_openblas=no pmf_no_lapack=
  pmf_given_cflags=$OPENBLAS_CFLAGS pmf_given_libs=$OPENBLAS_LIBS
  pmf_openblas_cflags=$CFLAGS pmf_openblas_libs=$LIBS
  pmf_multiarch=`$CC -print-multiarch 2>/dev/null`
  for pmf_place in given /usr/lib/$pmf_multiarch/openblas-openmp /usr/lib/*/openblas-openmp /usr/lib64/openblas-openmp \
                   /usr/lib/openblas-openmp openblas openblas-openmp openblaso bare-openblaso bare-openblas; do
    case $pmf_place in
    given)
      test -n "$pmf_given_libs" || continue
      OPENBLAS_CFLAGS=$pmf_given_cflags OPENBLAS_LIBS=$pmf_given_libs ;;
    bare-*)
      OPENBLAS_CFLAGS= OPENBLAS_LIBS=-l${pmf_place#bare-} ;;
    *)
      test -z "$pmf_given_libs" && test -n "$PKG_CONFIG" || continue
      pmf_module=openblas pmf_path=$PKG_CONFIG_PATH
      case $pmf_place in
      /*) test -d "$pmf_place/pkgconfig" || continue
          pmf_path=$pmf_place/pkgconfig${PKG_CONFIG_PATH+:$PKG_CONFIG_PATH} ;;
      *)  pmf_module=$pmf_place ;;
      esac
      pmf_dir=`PKG_CONFIG_PATH=$pmf_path $PKG_CONFIG --variable=libdir $pmf_module 2>/dev/null` || continue
      OPENBLAS_CFLAGS=`PKG_CONFIG_PATH=$pmf_path $PKG_CONFIG --cflags $pmf_module`
      OPENBLAS_LIBS="`PKG_CONFIG_PATH=$pmf_path $PKG_CONFIG --libs $pmf_module`"
      case $pmf_dir in ""|/usr/lib|/usr/lib64) ;; *) OPENBLAS_LIBS="$OPENBLAS_LIBS -Wl,-rpath,$pmf_dir" ;; esac ;;
    esac
    CFLAGS="$pmf_openblas_cflags $OPENMP_CFLAGS $OPENBLAS_CFLAGS" LIBS="$OPENBLAS_LIBS $pmf_openblas_libs"
    AC_RUN_IFELSE([AC_LANG_PROGRAM([[#include <cblas.h>]], [[return openblas_get_parallel() == 2 ? 0 : 1]])],
                  [pmf_openblas=yes], [], [AC_LINK_IFELSE([], [pmf_openblas=yes])])
    test $pmf_openblas = yes || continue
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[char dsyevd_(void), dgesdd_(void);]], [[return dsyevd_() + dgesdd_()]])], [break])
    pmf_openblas=no
    pmf_no_lapack="$pmf_no_lapack $OPENBLAS_LIBS"
  done
  CFLAGS=$pmf_openblas_cflags LIBS=$pmf_openblas_libs
  AS_IF([test $pmf_openblas = yes], [AC_MSG_RESULT([$OPENBLAS_LIBS])], [AC_MSG_RESULT([no]); PMF_MISSING([openblas])])
  AS_IF([test -n "$pmf_no_lapack"],
    [AC_MSG_WARN([passed over, as it has no LAPACK (dsyevd_, dgesdd_): OpenBLAS in$pmf_no_lapack
Build it without NO_LAPACK=1, take a package of it, or add a LAPACK: OPENBLAS_LIBS="$pmf_no_lapack -llapack".])])
])

# PMF_HDF5: HDF5_CFLAGS and HDF5_LIBS of a library built with MPI.
AC_DEFUN([PMF_HDF5], [
  AC_ARG_VAR([HDF5_CFLAGS], [C compiler flags for HDF5])
  AC_ARG_VAR([HDF5_LIBS], [linker flags for HDF5, built with MPI])
  AC_MSG_CHECKING([for HDF5 with MPI])
  pmf_hdf5=no
  pmf_hdf5_cflags=$CFLAGS pmf_hdf5_libs=$LIBS
  for pmf_module in given hdf5-openmpi hdf5-mpi hdf5-mpich hdf5; do
    AS_IF([test $pmf_module = given], [test -n "$HDF5_LIBS" || continue], [
      test -n "$PKG_CONFIG" || continue
      HDF5_CFLAGS=`$PKG_CONFIG --cflags $pmf_module 2>/dev/null` || continue
      HDF5_LIBS=`$PKG_CONFIG --libs $pmf_module`
    ])
    CFLAGS="$pmf_hdf5_cflags $MPI_CFLAGS $HDF5_CFLAGS" LIBS="$HDF5_LIBS $MPI_LIBS $pmf_hdf5_libs"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <hdf5.h>]],
      [[return (int)H5Pset_fapl_mpio(H5P_DEFAULT, MPI_COMM_WORLD, MPI_INFO_NULL)]])], [pmf_hdf5=$pmf_module; break])
  done
  CFLAGS=$pmf_hdf5_cflags LIBS=$pmf_hdf5_libs
  AC_MSG_RESULT([$pmf_hdf5])
  AS_IF([test "$pmf_hdf5" = no], [PMF_MISSING([hdf5])])
])

# PMF_ONEDNN: ONEDNN_LIBS and HAVE_ONEDNN where --with-onednn allows it and a library of version 2 is there. It has no .pc.
AC_DEFUN([PMF_ONEDNN], [
  AC_ARG_WITH([onednn], [AS_HELP_STRING([--with-onednn=auto|yes|no],
    [matrix products in bf16 (Debian: libdnnl-dev, version 2); auto (default): if it is there])], [], [with_onednn=auto])
  AC_ARG_VAR([ONEDNN_LIBS], [linker flags for oneDNN])
  AC_MSG_CHECKING([for oneDNN 2])
  pmf_onednn=no
  pmf_onednn_libs=$LIBS
  AS_IF([test "x$with_onednn" != xno], [
    : ${ONEDNN_LIBS=-ldnnl}
    LIBS="$ONEDNN_LIBS $LIBS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <dnnl.h>]], [[dnnl_matmul_desc_t d;
      return (int)dnnl_matmul_desc_init(&d, 0, 0, 0, 0)]])], [pmf_onednn=$ONEDNN_LIBS])
  ])
  LIBS=$pmf_onednn_libs
  AC_MSG_RESULT([$pmf_onednn])
  AS_IF([test "$pmf_onednn" != no], [AC_DEFINE([HAVE_ONEDNN], [1], [oneDNN 2 is there])], [ONEDNN_LIBS=])
  AS_IF([test "x$with_onednn" = xyes && test "$pmf_onednn" = no],
    [AC_MSG_ERROR([--with-onednn=yes: oneDNN 2 is missing or does not work (Debian: libdnnl-dev; config.log says more)])])
])

# PMF_SIMGRID: SMPICC and the condition HAVE_SIMGRID where --with-simgrid allows it and SimGrid's MPI compiles a program.
AC_DEFUN([PMF_SIMGRID], [
  AC_ARG_WITH([simgrid], [AS_HELP_STRING([--with-simgrid=auto|yes|no],
    [the simulation of many ranks, pmf-simulate (Debian: libsimgrid-dev, simgrid); auto (default): if it is there])], [],
    [with_simgrid=auto])
  AS_IF([test "x$with_simgrid" != xno], [AC_PATH_PROG([SMPICC], [smpicc]) AC_PATH_PROG([SMPIRUN], [smpirun])])
  AC_MSG_CHECKING([for SimGrid's MPI])
  pmf_simgrid=no
  AS_IF([test -n "$SMPICC" && test -n "$SMPIRUN"], [
    cat >conftest.c <<'END'
#include <mpi.h>
int main(int argc, char **argv) { MPI_Init(&argc, &argv); smpi_execute_flops(1); MPI_Finalize(); return 0; }
END
    AS_IF(["$SMPICC" -o conftest.simgrid conftest.c >&AS_MESSAGE_LOG_FD 2>&1], [pmf_simgrid=$SMPICC])
    rm -f conftest.c conftest.simgrid])
  AC_MSG_RESULT([$pmf_simgrid])
  AM_CONDITIONAL([HAVE_SIMGRID], [test "$pmf_simgrid" != no])
  AS_IF([test "x$with_simgrid" = xyes && test "$pmf_simgrid" = no],
    [AC_MSG_ERROR([--with-simgrid=yes: SimGrid is missing or does not work (Debian: libsimgrid-dev; config.log says more)])])
])

# PMF_STOP_IF_MISSING: names everything that is missing at once, as Debian, Fedora and Spack call it.
AC_DEFUN([PMF_STOP_IF_MISSING], [AS_IF([test -n "$pmf_missing"], [
  pmf_table=`echo "needed Debian Fedora Spack" | cat - "$srcdir/m4/packages.txt" | while read need debian fedora spack; do
    case " needed $pmf_missing " in *" $need "*)
      printf '  %-12s %-28s %-22s %s\n' "$need" "$debian" "$fedora" "$spack" | tr , ' ' ;; esac; done`
  AC_MSG_ERROR([these are missing or do not work (config.log says more):
$pmf_table
On Debian, as root: ./quickstart deps installs them.])
])])
