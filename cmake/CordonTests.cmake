# cordon_tests (GoogleTest, run by ctest) and the fixture NIF libraries of the Common Test suites.
enable_testing()
find_package(GTest REQUIRED)
include(GoogleTest)

# Counts which functions of the API fixtures call (test/coverage/enif_calls.c says how).
add_library(cordon_enif_calls OBJECT "${CMAKE_SOURCE_DIR}/test/coverage/enif_calls.c")
target_compile_definitions(cordon_enif_calls PRIVATE _GNU_SOURCE)
target_include_directories(cordon_enif_calls PRIVATE "${CMAKE_SOURCE_DIR}/c_src")
target_compile_options(cordon_enif_calls PRIVATE -Wall -Wextra -Wconversion -Werror)

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
  target_link_libraries(${name} PRIVATE Threads::Threads $<TARGET_OBJECTS:cordon_enif_calls>)
endfunction()

add_custom_target(cordon_fixtures)
file(GLOB fixture_sources CONFIGURE_DEPENDS
  "${CMAKE_SOURCE_DIR}/test/fixtures/*.c" "${CMAKE_SOURCE_DIR}/test/fixtures/*.cpp")
foreach(source IN LISTS fixture_sources)
  cmake_path(GET source STEM name)
  cordon_nif_library(${name} "${source}")
  add_dependencies(cordon_fixtures ${name})
endforeach()

# Libraries of early versions of the API: one source, a library for each (test/fixtures/old_api).
function(cordon_old_library name)
  cordon_nif_library(${name} "${CMAKE_SOURCE_DIR}/test/fixtures/old_api/fx_old.c" ${ARGN})
  add_dependencies(cordon_fixtures ${name})
endfunction()
foreach(minor RANGE 0 15)
  cordon_old_library(fx_old_2_${minor} OLD_MINOR=${minor})
  if(minor MATCHES "^(0|4|7|11|14)$")
    cordon_old_library(fx_old_2_${minor}_next OLD_MINOR=${minor} OLD_GENERATION=2)
  endif()
endforeach()
foreach(claim 0_1 1_0 2_99 3_0 3_14)
  string(REPLACE "_" ";" parts ${claim})
  list(GET parts 0 major)
  list(GET parts 1 minor)
  cordon_old_library(fx_old_is_${claim} OLD_MINOR=14 OLD_MAJOR=${major} OLD_CLAIM=${minor})
endforeach()
cordon_old_library(fx_old_variant_0 OLD_MINOR=0 OLD_VARIANT="beam.halfword")
cordon_old_library(fx_old_variant_1 OLD_MINOR=1 OLD_VARIANT="beam.halfword")
cordon_old_library(fx_old_variant_14 OLD_MINOR=14 OLD_VARIANT="beam.other")
cordon_old_library(fx_old_variant_empty OLD_MINOR=14 OLD_VARIANT="")
cordon_old_library(fx_old_flags_3 OLD_MINOR=7 OLD_FLAGS=3)
cordon_old_library(fx_old_flags_4 OLD_MINOR=14 OLD_FLAGS=4)
cordon_old_library(fx_old_underscore OLD_MINOR=0 OLD_INIT=_nif_init)

# One library in C++ in the ways that libraries are linked, and one in Rust where there is rustc.
set(languages "${CMAKE_SOURCE_DIR}/test/fixtures/languages")
foreach(variant plain now lazy static)
  cordon_nif_library(fx_cxx_${variant} "${languages}/fx_cxx.cpp")
  add_dependencies(cordon_fixtures fx_cxx_${variant})
endforeach()
target_compile_options(fx_cxx_now PRIVATE -fno-plt)
target_link_options(fx_cxx_now PRIVATE -Wl,-z,now)
target_link_options(fx_cxx_lazy PRIVATE -Wl,-z,lazy)
target_link_options(fx_cxx_static PRIVATE -static-libstdc++ -static-libgcc)
cordon_nif_library(fx_statics "${languages}/fx_statics.cpp")
cordon_nif_library(fx_plugin "${languages}/fx_plugin.c")
add_dependencies(cordon_fixtures fx_statics fx_plugin)
find_program(CORDON_RUSTC rustc PATHS /usr/bin NO_DEFAULT_PATH)
find_program(CORDON_RUSTC rustc)
if(CORDON_RUSTC)
  set(fx_rust "${CMAKE_BINARY_DIR}/fixtures/fx_rust.so")
  add_custom_command(OUTPUT "${fx_rust}"
    COMMAND "${CORDON_RUSTC}" --edition 2018 -O -C strip=symbols
      -o "${fx_rust}" "${languages}/fx_rust.rs"
    DEPENDS "${languages}/fx_rust.rs" VERBATIM)
  add_custom_target(fx_rust ALL DEPENDS "${fx_rust}")
  add_dependencies(cordon_fixtures fx_rust)
endif()

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

# Instructions of the hot path of a call, against a budget (test/hot_path/check). Both sides are made
# of the object files that cordon itself is made of.
find_path(CORDON_VALGRIND_DIR valgrind/callgrind.h)
if(CORDON_VALGRIND_DIR AND NOT CORDON_SANITIZE)
  set(hot_path "${CMAKE_SOURCE_DIR}/test/hot_path")
  add_library(hot_path_library MODULE "${hot_path}/library.c")
  target_include_directories(hot_path_library SYSTEM PRIVATE "${ERL_INCLUDE}")
  target_compile_options(hot_path_library PRIVATE -Wall -Wextra)
  set_target_properties(hot_path_library PROPERTIES C_VISIBILITY_PRESET default)

  add_library(hot_path_beam_side MODULE "${hot_path}/beam_side.cpp")
  target_link_libraries(hot_path_beam_side PRIVATE cordon_nif_objects)
  target_link_options(hot_path_beam_side PRIVATE -Wl,-z,nodelete -Wl,-z,lazy)

  add_executable(hot_path_costs "${hot_path}/host_side.cpp")
  set_target_properties(hot_path_costs PROPERTIES ENABLE_EXPORTS ON)
  target_include_directories(hot_path_costs PRIVATE "${CMAKE_SOURCE_DIR}/test")
  target_link_libraries(hot_path_costs PRIVATE nif_host_objects compat_ipc ${host_link} GTest::gtest)
  foreach(target hot_path_library hot_path_beam_side hot_path_costs)
    target_include_directories(${target} SYSTEM PRIVATE "${CORDON_VALGRIND_DIR}")
    set_target_properties(${target} PROPERTIES PREFIX ""
      LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/hot_path"
      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/hot_path")
  endforeach()
  string(REGEX MATCH "^[0-9]+" compiler "${CMAKE_CXX_COMPILER_VERSION}")
  string(TOLOWER
    "${CMAKE_SYSTEM_PROCESSOR}-${CMAKE_CXX_COMPILER_ID}-${compiler}-${CMAKE_BUILD_TYPE}" compiler)
  if(CMAKE_CXX_FLAGS)
    string(APPEND compiler "-own-flags")
  endif()
  add_test(NAME hot_path COMMAND "${hot_path}/check" $<TARGET_FILE:hot_path_costs>
    $<TARGET_FILE:hot_path_library> $<TARGET_FILE:hot_path_beam_side> $<TARGET_FILE:nif_host>
    ${compiler})
else()
  add_test(NAME hot_path COMMAND "${CMAKE_COMMAND}" -E echo
    "skipped: valgrind or its headers are missing (Debian: package valgrind), or a sanitizer is on")
  set_tests_properties(hot_path PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped")
endif()
set_tests_properties(hot_path PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
