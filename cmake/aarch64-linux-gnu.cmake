# Toolchain: compiles for aarch64 with Debian's cross compiler (package g++-aarch64-linux-gnu). Headers of
# libraries are the machine's own; nothing is linked, so CMake's trials must not link either.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
