/*
 * `eds completion SHELL`: a script for the shell.  The scripts are thin: at each Tab they ask `eds __complete`
 * (completion.c), which knows commands and flags from the tables.
 */

#include <stdio.h>

#include "supervisor/cli/cli.h"

const struct cli_shell cli_shells[] = {
	{ "bash",
	  "# bash completion for eds: source this, or put it into /usr/share/bash-completion/completions/eds\n"
	  "_eds()\n"
	  "{\n"
	  "\tlocal line=${COMP_LINE:0:COMP_POINT} current=${COMP_WORDS[COMP_CWORD]} words word help\n"
	  "\tread -ra words <<< \"$line\"\n"
	  "\t[[ $line == *[[:space:]] ]] && words+=('')\n"
	  "\t[[ $current == '=' ]] && current=\n"
	  "\tCOMPREPLY=()\n"
	  "\twhile IFS=$'\\t' read -r word help; do\n"
	  "\t\tcase $word in\n"
	  "\t\t:files) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
	  "\t\t:folders) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
	  "\t\t*) COMPREPLY+=(\"$word\") ;;\n"
	  "\t\tesac\n"
	  "\tdone < <(printf '%s\\n' \"${words[@]:1}\" | \"${words[0]/#\\~/$HOME}\" __complete 2> /dev/null)\n"
	  "}\n"
	  "complete -F _eds eds\n" },
	{ "zsh",
	  "#compdef eds\n"
	  "# zsh completion for eds: source this, or put it as _eds into a folder of $fpath\n"
	  "_eds()\n"
	  "{\n"
	  "\tlocal -a candidates\n"
	  "\tlocal line\n"
	  "\tprint -rl -- \"${(@Q)words[2,CURRENT-1]}\" \"$PREFIX\" | ${~words[1]} __complete 2> /dev/null |\n"
	  "\twhile IFS= read -r line; do\n"
	  "\t\tcase $line in\n"
	  "\t\t(:files) [[ $PREFIX == -*=* ]] && compset -P '*='; _files ;;\n"
	  "\t\t(:folders) [[ $PREFIX == -*=* ]] && compset -P '*='; _files -/ ;;\n"
	  "\t\t(*) candidates+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
	  "\t\tesac\n"
	  "\tdone\n"
	  "\t(( $#candidates )) && _describe eds candidates\n"
	  "}\n"
	  "if [[ $funcstack[1] == _eds ]]; then _eds \"$@\"; else compdef _eds eds; fi\n" },
	{ "fish",
	  "# fish completion for eds: put this into ~/.config/fish/completions/eds.fish\n"
	  "function __eds_complete\n"
	  "\tset -l words (commandline -opc)\n"
	  "\tset -l current (commandline -ct)\n"
	  "\tset -l before (string match -r -- '^--[^=]*=' $current)\n"
	  "\tset -l path (string replace -r -- '^--[^=]*=' '' $current)\n"
	  "\tset -l program (string replace -r -- '^~' $HOME $words[1])\n"
	  "\tset -e words[1]\n"
	  "\tfor line in (printf '%s\\n' $words \"$current\" | $program __complete 2> /dev/null)\n"
	  "\t\tswitch $line\n"
	  "\t\tcase ':files'\n"
	  "\t\t\tprintf \"$before%s\\n\" (__fish_complete_path $path)\n"
	  "\t\tcase ':folders'\n"
	  "\t\t\tprintf \"$before%s\\n\" (__fish_complete_directories $path)\n"
	  "\t\tcase '*'\n"
	  "\t\t\techo $line\n"
	  "\t\tend\n"
	  "\tend\n"
	  "end\n"
	  "complete -c eds -f -a '(__eds_complete)'\n" },
	{ "powershell",
	  "# PowerShell completion for eds: eds completion powershell | Out-String | Invoke-Expression\n"
	  "Register-ArgumentCompleter -Native -CommandName 'eds' -ScriptBlock {\n"
	  "    param($wordToComplete, $commandAst, $cursorPosition)\n"
	  "    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |\n"
	  "        ForEach-Object { $_.ToString() })\n"
	  "    $program = $words[0]\n"
	  "    $words = @($words | Select-Object -Skip 1) + \"$wordToComplete\"\n"
	  "    $before = if (\"$wordToComplete\" -match '^(--[^=]*=)') { $Matches[1] } else { '' }\n"
	  "    $path = \"$wordToComplete\".Substring($before.Length)\n"
	  "    $words | & $program __complete 2> $null | ForEach-Object {\n"
	  "        $candidate, $help = $_ -split \"`t\", 2\n"
	  "        if ($candidate -eq ':files' -or $candidate -eq ':folders') {\n"
	  "            Get-ChildItem -Path \"$path*\" -Directory:($candidate -eq ':folders') -ErrorAction SilentlyContinue |\n"
	  "                ForEach-Object {\n"
	  "                    $found = $path -replace '[^/\\\\]*$', ''\n"
	  "                    $found = $before + $found + $_.Name\n"
	  "                    if ($found -match '\\s') { $found = \"'$found'\" }\n"
	  "                    [System.Management.Automation.CompletionResult]::new($found, $_.Name, 'ProviderItem', $_.FullName)\n"
	  "                }\n"
	  "        } else {\n"
	  "            if (-not $help) { $help = $candidate }\n"
	  "            [System.Management.Automation.CompletionResult]::new($candidate, $candidate, 'ParameterValue', $help)\n"
	  "        }\n"
	  "    }\n"
	  "}\n" },
	{ NULL, NULL },
};

int
cmd_completion(const struct cli *cli)
{
	for (const struct cli_shell *s = cli_shells; s->name != NULL; s++)
		if (strcmp(cli->args[0], s->name) == 0) {
			(void)fputs(s->script, stdout);
			return 0;
		}
	(void)fprintf(stderr, "Error: there is no completion for the shell \"%s\"; expected bash, zsh, fish or powershell\n",
	    cli->args[0]);
	return 1;
}
