# What all shims promise: one source for each subject, compiled for each of them.
set(traces ${CMAKE_CURRENT_BINARY_DIR}/traces)
add_test(NAME gpu_traces_begin COMMAND ${CMAKE_COMMAND} -E make_directory ${traces})
add_test(NAME gpu_traces_end COMMAND ${CMAKE_COMMAND} -E rm -rf ${traces})
set_tests_properties(gpu_traces_begin PROPERTIES FIXTURES_SETUP traces)
set_tests_properties(gpu_traces_end PROPERTIES FIXTURES_CLEANUP traces)
set(gpu_subjects errors process captures handles memory memory_threads limit graphs)
foreach(api cuda hip5 hip6 hip7)
  set(variable GIVEWAY_CUDA_LIBRARY)
  set(definitions _GNU_SOURCE)
  if(api MATCHES "hip(.)")
    set(variable GIVEWAY_HIP_LIBRARY)
    list(APPEND definitions GENERATION=${CMAKE_MATCH_1})
  endif()
  set(preloaded "LD_PRELOAD=$<TARGET_FILE:giveway-${api}>;${variable}=$<TARGET_FILE:fake-${api}>")
  foreach(subject ${gpu_subjects} library)
    set(test gpu_${subject}_${api})
    add_executable(test_${test} gpu/test_gpu_${subject}.c)
    target_compile_definitions(test_${test} PRIVATE ${definitions})
    target_include_directories(test_${test} PRIVATE
      ${CMAKE_CURRENT_BINARY_DIR}/../gpu/giveway-${api}.generated)
    target_link_libraries(test_${test} PRIVATE giveway-${api} giveway Threads::Threads dl)
    add_dependencies(test_${test} fake-${api})
    add_test(NAME ${test} COMMAND test_${test})
    # Where the device holds launches the program goes on; here it is to wait.
    set_tests_properties(${test} PROPERTIES TIMEOUT 600 ENVIRONMENT
      "${preloaded};GIVEWAY_STREAM_GATE_US=0")
  endforeach()
  # The way of a call that is traced is another one.
  add_test(NAME gpu_errors_traced_${api} COMMAND test_gpu_errors_${api})
  set_tests_properties(gpu_errors_traced_${api} PROPERTIES
    TIMEOUT 600 FIXTURES_REQUIRED traces ENVIRONMENT
    "${preloaded};GIVEWAY_TRACE=${traces};GIVEWAY_TRACE_EVENTS=100")
endforeach()
