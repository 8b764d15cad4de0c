# Children that cannot load giveway's libraries: one with a stand-in of musl's loader, one with a
# stand-in of AddressSanitizer's runtime.
set(folder ${CMAKE_BINARY_DIR}/exec) # not below libgiveway, where libraries count as its own
set(foreign_loader ${folder}/ld-musl-stand-in.so.1)
add_executable(exec_loader exec/loader.c)
set_target_properties(exec_loader PROPERTIES
  OUTPUT_NAME ld-musl-stand-in.so.1 RUNTIME_OUTPUT_DIRECTORY ${folder})
target_compile_options(exec_loader PRIVATE -ffreestanding -fno-stack-protector -O1)
target_link_options(exec_loader PRIVATE -nostdlib -static)
add_library(exec_asan SHARED exec/asan.c)
target_compile_definitions(exec_asan PRIVATE _GNU_SOURCE)
set_target_properties(exec_asan PROPERTIES
  OUTPUT_NAME asan SUFFIX .so.99 NO_SONAME ON LIBRARY_OUTPUT_DIRECTORY ${folder})
target_link_options(exec_asan PRIVATE -Wl,-soname,libasan.so.99)
foreach(program plain foreign with_asan)
  add_executable(exec_${program} exec/program.c)
  set_target_properties(exec_${program} PROPERTIES
    OUTPUT_NAME ${program} RUNTIME_OUTPUT_DIRECTORY ${folder})
endforeach()
target_link_options(exec_foreign PRIVATE -Wl,--dynamic-linker=${foreign_loader})
add_dependencies(exec_foreign exec_loader)
target_compile_definitions(exec_with_asan PRIVATE WITH_ASAN)
target_link_libraries(exec_with_asan PRIVATE exec_asan)

add_executable(test_exec exec/test_exec.c)
target_compile_definitions(test_exec PRIVATE _GNU_SOURCE FOLDER="${folder}"
  FOREIGN="$<TARGET_FILE:exec_foreign>" PLAIN="$<TARGET_FILE:exec_plain>"
  ASAN_PROGRAM="$<TARGET_FILE:exec_with_asan>" ASAN_RUNTIME="$<TARGET_FILE:exec_asan>")
add_dependencies(test_exec exec_foreign exec_plain exec_with_asan)
add_test(NAME exec COMMAND test_exec)
set_tests_properties(exec PROPERTIES TIMEOUT 600 ENVIRONMENT
  "LD_PRELOAD=$<TARGET_FILE:giveway-cpu>:$<TARGET_FILE:giveway-exec>")
