# cordon_tests (GoogleTest, run by ctest) and the fixture NIF libraries of the Common Test suites.
enable_testing()
find_package(GTest REQUIRED)
include(GoogleTest)

# A NIF library as a user would build it: none of cordon's flags, only erl_nif.h and include/.
# Extra arguments are compile definitions.
function(cordon_nif_library name source)
  add_library(${name} MODULE "${source}")
  set_target_properties(${name} PROPERTIES
    PREFIX "" C_VISIBILITY_PRESET default CXX_VISIBILITY_PRESET default
    VISIBILITY_INLINES_HIDDEN OFF
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fixtures")
  target_include_directories(${name} SYSTEM PRIVATE "${ERL_INCLUDE}" "${CMAKE_SOURCE_DIR}/include")
  target_compile_options(${name} PRIVATE -Wall)
  target_compile_definitions(${name} PRIVATE ${ARGN})
  target_link_libraries(${name} PRIVATE Threads::Threads)
endfunction()

add_custom_target(cordon_fixtures)
file(GLOB fixture_sources CONFIGURE_DEPENDS
  "${CMAKE_SOURCE_DIR}/test/fixtures/*.c" "${CMAKE_SOURCE_DIR}/test/fixtures/*.cpp")
foreach(source IN LISTS fixture_sources)
  cmake_path(GET source STEM name)
  cordon_nif_library(${name} "${source}")
  add_dependencies(cordon_fixtures ${name})
endforeach()

# Programs that tests start things with, beside the fixtures.
file(GLOB tool_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/test/tools/*.c")
foreach(source IN LISTS tool_sources)
  cmake_path(GET source STEM name)
  add_executable(${name} "${source}")
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fixtures")
  target_compile_options(${name} PRIVATE -Wall -Wextra)
  add_dependencies(cordon_fixtures ${name})
endforeach()

# Programs that suites start.
file(GLOB program_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/test/programs/*.c")
foreach(source IN LISTS program_sources)
  cmake_path(GET source STEM name)
  add_executable(${name} "${source}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fixtures")
  target_compile_options(${name} PRIVATE -Wall)
  add_dependencies(cordon_fixtures ${name})
endforeach()

# The tests link what the host is made of, and export enif_* as it does: a fixture can be opened
# in the test's own process.
file(GLOB test_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/test/cpp/*_test.cpp")
if(test_sources)
  # Of the BEAM side what can be had without a VM. Linked with a table of imported functions that is
  # read-only, where Debian's VM has one that is filled in lazily.
  add_executable(cordon_tests ${test_sources}
    "${CMAKE_SOURCE_DIR}/c_src/kernel_proxy/imported_function.cpp"
    "${CMAKE_SOURCE_DIR}/c_src/kernel_proxy/vm_directory.cpp")
  target_link_options(cordon_tests PRIVATE -Wl,-z,relro -Wl,-z,now)
  set_target_properties(cordon_tests PROPERTIES ENABLE_EXPORTS ON)
  target_include_directories(cordon_tests PRIVATE "${CMAKE_SOURCE_DIR}/test/cpp")
  target_compile_definitions(cordon_tests PRIVATE
    CORDON_FIXTURE_DIR="${CMAKE_BINARY_DIR}/fixtures" CORDON_PRIV_DIR="${CORDON_PRIV_DIR}")
  if(TARGET nif_host_objects)
    target_link_libraries(cordon_tests PRIVATE nif_host_objects)
  endif()
  target_link_libraries(cordon_tests PRIVATE compat_ipc ${host_link} GTest::gtest_main)
  add_dependencies(cordon_tests cordon_fixtures)
  gtest_discover_tests(cordon_tests DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
endif()
