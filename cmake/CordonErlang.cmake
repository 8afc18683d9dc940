# ERL_INCLUDE: the directory of the installed OTP's erl_nif.h, asked of `erl` itself.
if(NOT ERL_INCLUDE)
  find_program(CORDON_ERL erl REQUIRED)
  execute_process(
    COMMAND "${CORDON_ERL}" -noshell -boot start_clean -eval
            "io:format(\"~ts/usr/include\", [code:root_dir()]), halt()."
    OUTPUT_VARIABLE cordon_erl_include
    RESULT_VARIABLE cordon_erl_result)
  if(NOT cordon_erl_result EQUAL 0)
    message(FATAL_ERROR "Asking ${CORDON_ERL} for its root directory failed. "
                        "Set -DERL_INCLUDE=<directory of erl_nif.h>.")
  endif()
  set(ERL_INCLUDE "${cordon_erl_include}" CACHE PATH "Directory of erl_nif.h")
endif()
if(NOT EXISTS "${ERL_INCLUDE}/erl_nif.h")
  message(FATAL_ERROR "No erl_nif.h in ${ERL_INCLUDE} (Debian: package erlang-dev). "
                      "Set -DERL_INCLUDE=<directory of erl_nif.h>.")
endif()
