/* Names of files, for programs that are to do as little as possible. */

#include <stdio.h>
#include <string.h>

#include "tests/bench/file_name.h"
#include "tests/bench/pull.h"

const char *
table_name(natsMsg *msg, size_t *n_r)
{
	const char	*name = strchr(natsMsg_GetSubject(msg), '.') + 1;	/* dbchange.<table>.... */

	*n_r = strcspn(name, ".");
	return name;
}

static const char *
behind(natsMsg *msg, const char *what)
{
	const char	*p = memmem(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), what, strlen(what));

	if (p == NULL)
		die("naming a file: the event lacks", what);
	return p + strlen(what);
}

const char *
row_key(natsMsg *msg, size_t *n_r)
{
	const char	*keys = behind(msg, "\"key\":["), *end = strchr(keys, ']') - 1, *key = end;

	while (key[-1] != '"')
		key--;
	*n_r = (size_t)(end - key);
	return key;
}

void
file_name(char *out, size_t size, natsMsg *msg)
{
	const char	*ms = behind(msg, "\"timestamp\":");
	size_t		 n;
	const char	*key = row_key(msg, &n);

	(void)snprintf(out, size, "%.*s-%.*s.json", (int)strspn(ms, "0123456789") - 3, ms, (int)n, key);
}
