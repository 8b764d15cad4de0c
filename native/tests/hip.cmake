# The HIP shims, one set of programs for each generation.
set(preloaded "GIVEWAY_FAKE_DIR=${CMAKE_CURRENT_BINARY_DIR}")
foreach(generation 5 6 7)
  add_library(echo-hip${generation} MODULE echo_hip.c)
  set_target_properties(echo-hip${generation} PROPERTIES C_VISIBILITY_PRESET default)
  # What the real library needs may in turn need the one that we stand in for.
  target_link_libraries(echo-hip${generation} PRIVATE -Wl,--no-as-needed giveway-hip${generation})
  foreach(subject hip hip_forward hip_lookup hip_trace)
    set(test ${subject}${generation})
    set(below $<TARGET_FILE:fake-hip${generation}>)
    if(subject STREQUAL hip_forward)
      set(below $<TARGET_FILE:echo-hip${generation}>)
    endif()
    add_executable(test_${test} test_${subject}.c)
    target_compile_definitions(test_${test} PRIVATE _GNU_SOURCE GENERATION=${generation}
      SYMBOLS="${CMAKE_CURRENT_SOURCE_DIR}/../shim/hip/symbols.txt"
      HOOKS="${CMAKE_CURRENT_SOURCE_DIR}/../shim/hip/hooks.txt")
    target_include_directories(test_${test} PRIVATE
      ../abi ${CMAKE_CURRENT_BINARY_DIR}/../shim/giveway-hip${generation}.generated)
    target_link_libraries(test_${test} PRIVATE
      giveway-hip${generation} giveway Threads::Threads dl)
    add_test(NAME ${test} COMMAND test_${test})
    set_tests_properties(${test} PROPERTIES TIMEOUT 600 ENVIRONMENT
      "LD_PRELOAD=$<TARGET_FILE:giveway-hip${generation}>;GIVEWAY_HIP_LIBRARY=${below};${preloaded}")
  endforeach()
endforeach()

# A copy where only RUNPATH leads, and one as wheels bring it.
set(copies ${CMAKE_CURRENT_BINARY_DIR}/hip_copies)
add_executable(test_hip_find test_hip_find.c)
target_compile_definitions(test_hip_find PRIVATE _GNU_SOURCE COPIES="${copies}")
target_include_directories(test_hip_find PRIVATE ../abi)
target_link_libraries(test_hip_find PRIVATE giveway-hip6 giveway dl)
target_link_options(test_hip_find PRIVATE -Wl,-rpath,${copies}/system)
add_dependencies(test_hip_find fake-hip6)
add_custom_command(TARGET test_hip_find POST_BUILD
  COMMAND ${CMAKE_COMMAND} -E make_directory ${copies}/system ${copies}/wheel
  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:fake-hip6> ${copies}/system/libamdhip64.so.6
  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:fake-hip6> ${copies}/wheel/libamdhip64.so)
add_test(NAME hip_find COMMAND test_hip_find)
set_tests_properties(hip_find PROPERTIES TIMEOUT 600 ENVIRONMENT
  "LD_PRELOAD=$<TARGET_FILE:giveway-hip6>;${preloaded}")
