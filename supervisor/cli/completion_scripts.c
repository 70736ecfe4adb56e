/*
 * Scripts by which shells complete command lines of a program, whose name stands for @@.  They are thin: at each Tab
 * they ask `PROGRAM __complete`, which knows its commands and flags from tables.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli/completion_scripts.h"

#define LINE_MAX_BYTES	65536u
#define PROGRAM		"@@"

const struct completion_script completion_scripts[] = {
	{ "bash",
	  "# bash completion for @@: source this, or put it into /usr/share/bash-completion/completions/@@\n"
	  "_@@()\n"
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
	  "complete -F _@@ @@\n" },
	{ "zsh",
	  "#compdef @@\n"
	  "# zsh completion for @@: source this, or put it as _@@ into a folder of $fpath\n"
	  "_@@()\n"
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
	  "\t(( $#candidates )) && _describe @@ candidates\n"
	  "}\n"
	  "if [[ $funcstack[1] == _@@ ]]; then _@@ \"$@\"; else compdef _@@ @@; fi\n" },
	{ "fish",
	  "# fish completion for @@: put this into ~/.config/fish/completions/@@.fish\n"
	  "function __@@_complete\n"
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
	  "complete -c @@ -f -a '(__@@_complete)'\n" },
	{ "powershell",
	  "# PowerShell completion for @@: @@ completion powershell | Out-String | Invoke-Expression\n"
	  "Register-ArgumentCompleter -Native -CommandName '@@' -ScriptBlock {\n"
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
completion_print(const char *program, const char *shell)
{
	const struct completion_script	*s = completion_scripts;
	const char			*at, *next;

	while (s->shell != NULL && strcmp(shell, s->shell) != 0)
		s++;
	if (s->shell == NULL) {
		(void)fprintf(stderr, "Error: there is no completion for the shell \"%s\"; expected bash, zsh, fish or powershell\n", shell);
		return -1;
	}
	for (at = s->script; (next = strstr(at, PROGRAM)) != NULL; at = next + strlen(PROGRAM))
		(void)printf("%.*s%s", (int)(next - at), at, program);
	(void)fputs(at, stdout);
	return 0;
}

void
completion_answer(void (*complete)(struct slice words, struct buf *out))
{
	struct buf	 line = { 0 }, out = { 0 };
	char		 part[4096];
	size_t		 n;

	while (line.len < LINE_MAX_BYTES && (n = fread(part, 1, sizeof(part), stdin)) > 0)
		buf_add(&line, part, n);
	complete(buf_slice(&line), &out);
	(void)fputs(buf_cstr(&out), stdout);
	explicit_bzero(part, sizeof(part));
	buf_free_wiped(&line);
	buf_free(&out);
}

void
completion_offer(struct buf *out, struct slice word, const char *before, const char *text, const char *help)
{
	struct buf	 whole = { 0 };

	buf_printf(&whole, "%s%s", before, text);
	if (whole.len >= word.n && memcmp(whole.data, word.p, word.n) == 0)
		buf_printf(out, "%s\t%s\n", buf_cstr(&whole), help);
	buf_free(&whole);
}
