# Compiles with `zig cc`, which comes with the headers and symbols of every glibc: the libraries run
# on GIVEWAY_GLIBC and everything newer, whatever the building machine has.
#   cmake -DCMAKE_TOOLCHAIN_FILE=tools/zig.cmake -DGIVEWAY_ZIG=PATH -DGIVEWAY_MACHINE=aarch64
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GIVEWAY_ZIG GIVEWAY_MACHINE GIVEWAY_GLIBC)
if(NOT GIVEWAY_GLIBC)
  set(GIVEWAY_GLIBC 2.28)
endif()
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${GIVEWAY_MACHINE})
set(target ${GIVEWAY_MACHINE}-linux-gnu.${GIVEWAY_GLIBC})
set(CMAKE_C_COMPILER ${GIVEWAY_ZIG} cc -target ${target})
set(CMAKE_ASM_COMPILER ${CMAKE_C_COMPILER})
set(CMAKE_SHARED_LINKER_FLAGS_INIT -s)
# CMake wants programs without arguments here.
foreach(tool ar ranlib)
  string(TOUPPER ${tool} name)
  set(wrapper ${CMAKE_BINARY_DIR}/zig-${tool})
  file(WRITE ${wrapper} "#!/bin/sh\nexec '${GIVEWAY_ZIG}' ${tool} \"$@\"\n")
  file(CHMOD ${wrapper} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  set(CMAKE_${name} ${wrapper})
endforeach()
if(NOT GIVEWAY_MACHINE STREQUAL CMAKE_HOST_SYSTEM_PROCESSOR)
  # Where it is missing, the tests of the other machine cannot start.
  find_program(GIVEWAY_QEMU NAMES qemu-${GIVEWAY_MACHINE} qemu-${GIVEWAY_MACHINE}-static)
  if(GIVEWAY_QEMU)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${GIVEWAY_QEMU} -L /usr/${GIVEWAY_MACHINE}-linux-gnu)
  endif()
endif()
