# What bench/ and demo/ measure with; all of it goes to <build>/bench.
add_custom_target(cordon_bench)

foreach(module bench_native bench_isolated bench_in_place)
  add_library(${module} MODULE "${CMAKE_SOURCE_DIR}/bench/bench_nif.c")
  set_target_properties(${module} PROPERTIES
    PREFIX "" C_VISIBILITY_PRESET default LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench")
  target_include_directories(${module} SYSTEM PRIVATE "${ERL_INCLUDE}")
  target_compile_definitions(${module} PRIVATE BENCH_MODULE=${module})
  target_compile_options(${module} PRIVATE -Wall)
  target_link_libraries(${module} PRIVATE ${CORDON_SODIUM} z)
  add_dependencies(cordon_bench ${module})
endforeach()

add_executable(limits "${CMAKE_SOURCE_DIR}/bench/limits.cpp")
target_link_libraries(limits PRIVATE cordon_common)
foreach(program port_server cnode_server)
  add_executable(${program} "${CMAKE_SOURCE_DIR}/bench/${program}.c")
  target_compile_options(${program} PRIVATE -Wall)
endforeach()
target_include_directories(cnode_server SYSTEM PRIVATE "${ERL_INCLUDE}")
target_link_directories(cnode_server PRIVATE "${ERL_INCLUDE}/../lib")
target_link_libraries(cnode_server PRIVATE ei pthread)

foreach(program limits port_server cnode_server)
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench")
  add_dependencies(cordon_bench ${program})
endforeach()
