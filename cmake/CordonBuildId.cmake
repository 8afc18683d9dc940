# generated/cordon_build_id.hpp: a digest of everything that both sides of the border must agree
# on (the layout of shared memory and the protocol). The proxy refuses a nif_host with another one.
file(GLOB cordon_id_files CONFIGURE_DEPENDS
  "${CMAKE_SOURCE_DIR}/c_src/shared_heap/*.[ch]pp" "${CMAKE_SOURCE_DIR}/c_src/compat_ipc/*.[ch]pp"
  "${CMAKE_SOURCE_DIR}/c_src/shared_heap/*.h" "${CMAKE_SOURCE_DIR}/c_src/compat_ipc/*.h")
set(cordon_id_header "${CMAKE_BINARY_DIR}/generated/cordon_build_id.hpp")
add_custom_command(
  OUTPUT "${cordon_id_header}"
  COMMAND "${CMAKE_COMMAND}" -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DOUTPUT=${cordon_id_header}
          -P "${CMAKE_SOURCE_DIR}/cmake/write_build_id.cmake"
  DEPENDS ${cordon_id_files} "${CMAKE_SOURCE_DIR}/cmake/write_build_id.cmake"
  COMMENT "Digest of the shared layout"
  VERBATIM)
add_custom_target(cordon_build_id DEPENDS "${cordon_id_header}")
