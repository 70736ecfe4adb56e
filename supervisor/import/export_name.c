/*
 * <33 digits>-<word>-<words and dashes>-<table>-<word>.ndjson.gz, and anything behind it.  The
 * digits are YYYYMMDDhhmmss, nanoseconds, and a counter that nobody needs.
 */

#include "supervisor/import/export_name.h"

#define DIGITS		33u
#define ENDING		".ndjson.gz"

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool
is_table(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_word(s.p[i]) || (s.p[i] >= 'A' && s.p[i] <= 'Z'))
			return false;
	return s.n > 0;
}

static bool
all_words(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_word(s.p[i]))
			return false;
	return s.n > 0;
}

/* Takes what stands behind the last dash off the end. */
static bool
cut_last(struct slice *s, struct slice *last)
{
	for (size_t i = s->n; i-- > 0; )
		if (s->p[i] == '-') {
			*last = (struct slice){ s->p + i + 1, s->n - i - 1 };
			s->n = i;
			return true;
		}
	return false;
}

static int64_t
number(struct slice s, size_t at, size_t n)
{
	int64_t	 v = 0;

	for (size_t i = at; i < at + n; i++)
		v = v * 10 + (s.p[i] - '0');
	return v;
}

/* Days from 1970-01-01, by the rules of the Gregorian calendar. */
static int64_t
days_since_epoch(int64_t y, int64_t m, int64_t d)
{
	int64_t	 era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t
days_of_month(int64_t y, int64_t m)
{
	static const int8_t	 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 29 : days[m - 1];
}

static bool
take_time(struct slice s, int64_t *ns_r)
{
	int64_t	 y, mo, d, h, mi, sec, secs;

	for (size_t i = 0; i < DIGITS; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	y = number(s, 0, 4);
	mo = number(s, 4, 2);
	d = number(s, 6, 2);
	h = number(s, 8, 2);
	mi = number(s, 10, 2);
	sec = number(s, 12, 2);
	if (y < 1678 || y > 2261 || mo < 1 || mo > 12 || d < 1 || d > days_of_month(y, mo) || h > 23 || mi > 59 || sec > 59)
		return false;
	secs = days_since_epoch(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec;
	*ns_r = secs * 1000000000 + number(s, 14, 9);
	return true;
}

bool
export_name_parse(struct slice path, struct export_name *out)
{
	struct slice	 file = path, stem, last, table, first;
	const char	*dot;

	for (size_t i = path.n; i-- > 0; )
		if (path.p[i] == '/') {
			file = (struct slice){ path.p + i + 1, path.n - i - 1 };
			break;
		}
	if (file.n < DIGITS + 1 || (dot = memchr(file.p, '.', file.n)) == NULL)
		return false;
	stem = (struct slice){ file.p, (size_t)(dot - file.p) };
	if (file.n - stem.n < strlen(ENDING) || memcmp(dot, ENDING, strlen(ENDING)) != 0 || stem.n <= DIGITS + 1 ||
	    stem.p[DIGITS] != '-' || !take_time(stem, &out->time_ns))
		return false;
	stem = (struct slice){ stem.p + DIGITS + 1, stem.n - DIGITS - 1 };
	if (!cut_last(&stem, &last) || !all_words(last) || !cut_last(&stem, &table) || !is_table(table))
		return false;
	/* What is left: a word, a dash, and at least one more word or dash. */
	if (!slice_cut(&stem, '-', &first) || !all_words(first) || stem.n == 0)
		return false;
	for (size_t i = 0; i < stem.n; i++)
		if (!is_word(stem.p[i]) && stem.p[i] != '-')
			return false;
	out->file = file;
	out->table = table;
	return true;
}
