# The same programs with the hooks beside the driver: what they are linked to and open is the driver.
set(folder ${CMAKE_CURRENT_BINARY_DIR}/fakes)
set(copies ${folder}/libcuda.so.1 ${folder}/libcuda.so)
add_custom_command(OUTPUT ${copies} DEPENDS fake-cuda
  COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:fake-cuda> ${folder}/libcuda.so.1
  COMMAND ${CMAKE_COMMAND} -E create_symlink libcuda.so.1 ${folder}/libcuda.so)
foreach(generation 5 6 7)
  list(APPEND copies ${folder}/libamdhip64.so.${generation})
  add_custom_command(OUTPUT ${folder}/libamdhip64.so.${generation} DEPENDS fake-hip${generation}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
    COMMAND ${CMAKE_COMMAND} -E copy
      $<TARGET_FILE:fake-hip${generation}> ${folder}/libamdhip64.so.${generation})
endforeach()
add_custom_target(interposed-drivers ALL DEPENDS ${copies})

# All but the forwarders, and how a shim finds its library: neither is in use here.
function(add_interposed_test test hooks)
  add_test(NAME ${test}_interposed COMMAND test_${test})
  set_tests_properties(${test}_interposed PROPERTIES TIMEOUT 600 ENVIRONMENT
    "LD_PRELOAD=$<TARGET_FILE:${hooks}>;LD_LIBRARY_PATH=${folder};GIVEWAY_FAKE_DIR=${CMAKE_CURRENT_BINARY_DIR};${ARGN}")
endfunction()

foreach(test cuda_lookup ${cuda_subjects})
  add_interposed_test(${test} giveway-cuda-hooks)
endforeach()
add_interposed_test(cuda_nvml giveway-cuda-hooks)
set_tests_properties(cuda_nvml_interposed PROPERTIES ENVIRONMENT
  "LD_PRELOAD=$<TARGET_FILE:giveway-cuda-hooks>;LD_LIBRARY_PATH=${folder}:$<TARGET_FILE_DIR:fake-nvml>")
foreach(generation 5 6 7)
  foreach(test hip hip_lookup)
    add_interposed_test(${test}${generation} giveway-hip${generation}-hooks)
  endforeach()
endforeach()
foreach(api cuda hip5 hip6 hip7)
  foreach(subject ${gpu_subjects})
    add_interposed_test(gpu_${subject}_${api} giveway-${api}-hooks GIVEWAY_STREAM_GATE_US=0)
  endforeach()
endforeach()
