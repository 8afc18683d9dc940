# What bench/ and demo/ measure with; all of it goes to <build>/bench.
add_custom_target(cordon_bench)

foreach(module bench_native bench_isolated)
  add_library(${module} MODULE "${CMAKE_SOURCE_DIR}/bench/bench_nif.c")
  set_target_properties(${module} PROPERTIES
    PREFIX "" C_VISIBILITY_PRESET default LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench")
  target_include_directories(${module} SYSTEM PRIVATE "${ERL_INCLUDE}")
  target_compile_definitions(${module} PRIVATE BENCH_MODULE=${module})
  target_compile_options(${module} PRIVATE -Wall)
  add_dependencies(cordon_bench ${module})
endforeach()

add_executable(limits "${CMAKE_SOURCE_DIR}/bench/limits.cpp")
target_link_libraries(limits PRIVATE cordon_common)
add_executable(port_echo "${CMAKE_SOURCE_DIR}/bench/port_echo.c")
target_compile_options(port_echo PRIVATE -Wall)
foreach(program limits port_echo)
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench")
  add_dependencies(cordon_bench ${program})
endforeach()
