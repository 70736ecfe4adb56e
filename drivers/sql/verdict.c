/* From a database's error codes to what the worker is to do. */

#include "drivers/sql/verdict.h"

const struct sql_verdict *
sql_verdict_find(const struct sql_verdict *v, size_t n, const char *state, int number)
{
	const struct sql_verdict	*best = NULL;
	size_t				 longest = 0, len;

	for (size_t i = 0; i < n; i++)
		if (v[i].state == NULL && v[i].number == number)
			return &v[i];
	for (size_t i = 0; i < n; i++) {
		if (v[i].state == NULL || (len = strlen(v[i].state)) < longest)
			continue;
		if (state != NULL && strncmp(state, v[i].state, len) == 0) {
			best = &v[i];
			longest = len;
		}
	}
	return best;
}
