%%% @private
%%% The commands of `bin/cordon' and their flags, once: for parsing, help and completion.
-module(cordon_cli_help).

-export([commands/0, flags/1, general/0, command/1, completion/0]).

-export_type([flag/0]).

%% A flag without a value, one with a path, one with one of some words, one for each of
%% cordon's options.
-type flag() :: {word, atom()} | {path, atom()} | {choice, atom(), [atom()]} | {option, atom()}.

%% {Command, Arguments, What it does, more about it}
-define(COMMANDS,
        [{"install", "FILE.so... [--OPTION VALUE]... [--cordon DIR]",
          "isolate NIF libraries on disk",
          ["Puts a shim in the place of each library. The library itself is kept beside it as\n"
           "FILE.so.native, what the shim stands for in FILE.cordon. A power cut at any time\n"
           "leaves the library native or isolated. A library that is isolated already gets\n"
           "the options that are given now. All files are checked before one is changed.\n"]},
         {"uninstall", "FILE.so...",
          "put the libraries back as they were",
          ["A library that has replaced the shim in the meantime is kept.\n"]},
         {"inspect", "FILE.so [--json]",
          "tell what a library is, needs, and would lack when isolated",
          ["Opens the library in a process of its own. Ends with status 1 when something that\n"
           "the library needs is not there.\n"]},
         {"status", "[DIR...] [--json]",
          "tell what stands in directory trees",
          ["One line for each NIF library: native, isolated, broken (and why), leftover of an\n"
           "install that was interrupted. Ends with status 1 when one is broken.\n"]},
         {"completion", "bash",
          "print what completes commands in a shell",
          ["source <(cordon completion bash)\n"]}]).

-spec commands() -> [string()].
commands() ->
    [Name || {Name, _, _, _} <- ?COMMANDS].

%% @doc The flags of a command, by their names without "--".
-spec flags(string()) -> {ok, [{string(), flag()}]} | error.
flags(Command) ->
    Common = [{"help", {word, help}}],
    case {lists:member(Command, commands()), Command} of
        {false, _} -> error;
        {_, "install"} ->
            {ok, option_flags() ++ [{"unsupported", {choice, unsupported, [refuse, native]}},
                                    {"cordon", {path, cordon}} | Common]};
        {_, Json} when Json =:= "inspect"; Json =:= "status" ->
            {ok, [{"json", {word, json}} | Common]};
        {_, _} -> {ok, Common}
    end.

option_flags() ->
    [{flag_name(Key), {option, Key}} || {Key, _} <- cordon_options:expected()].

flag_name(Key) ->
    lists:flatten(string:replace(atom_to_list(Key), "_", "-", all)).

-spec general() -> iolist().
general() ->
    ["usage: cordon COMMAND ...\n\n",
     [io_lib:format("  ~-12ts ~ts~n", [Name, What]) || {Name, _, What, _} <- ?COMMANDS],
     "\n  cordon COMMAND --help   more about a command\n"
     "  cordon --version        the version of cordon\n\n"
     "Exit status: 0 done, 1 failed or found wrong, 2 wrong use.\n"].

-spec command(string()) -> {ok, iolist()} | error.
command(Command) ->
    case lists:keyfind(Command, 1, ?COMMANDS) of
        {_, Arguments, What, More} ->
            {ok, ["usage: cordon ", Command, $\s, Arguments, "\n\n",
                  sentence(What), "\n\n", More, [install_flags() || Command =:= "install"]]};
        false ->
            error
    end.

sentence([First | Rest]) ->
    [string:to_upper(First), Rest, $.].

install_flags() ->
    ["\nOptions:\n",
     [io_lib:format("  --~-18ts ~ts~n", [flag_name(Key), Expected])
      || {Key, Expected} <- cordon_options:expected()],
     io_lib:format("  --~-18ts ~ts~n",
                   ["unsupported", "refuse or native: what to do on a machine that can't run "
                    "hosts (default: refuse)"]),
     io_lib:format("  --~-18ts ~ts~n",
                   ["cordon DIR", "the application cordon that will run, such as lib/cordon-1.2.3 "
                    "(default:"]),
     io_lib:format("  ~-20ts ~ts~n",
                   ["", "that of the release that FILE is in, else this one)"])].

-spec completion() -> iolist().
completion() ->
    ["_cordon() {\n"
     "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
     "    if [[ $COMP_CWORD == 1 ]]; then\n"
     "        words='", lists:join(" ", commands()), " --help --version'\n"
     "    elif [[ $word == -* ]]; then\n"
     "        case ${COMP_WORDS[1]} in\n",
     [["        ", Command, ") words='", lists:join(" ", ["--" ++ Name || {Name, _} <- Flags]),
       "' ;;\n"] || Command <- commands(), {ok, Flags} <- [flags(Command)]],
     "        esac\n"
     "    elif [[ ${COMP_WORDS[1]} == completion ]]; then\n"
     "        words=bash\n"
     "    fi\n"
     "    if [[ -n $words ]]; then\n"
     "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
     "    else\n"
     "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
     "    fi\n"
     "}\n"
     "complete -o filenames -F _cordon cordon\n"].
