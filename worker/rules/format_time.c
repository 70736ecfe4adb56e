/* Dates and times, RFC 3339. */

#include "ipc/base/json_bytes.h"
#include "worker/rules/format.h"

/* Takes `digits` digits off the front. */
static bool
take_number(struct slice *s, size_t digits, int *out_r)
{
	*out_r = 0;
	for (size_t i = 0; i < digits; i++) {
		if (i == s->n || !is_digit(s->p[i]))
			return false;
		*out_r = *out_r * 10 + (s->p[i] - '0');
	}
	s->p += digits;
	s->n -= digits;
	return true;
}

static bool
take_char(struct slice *s, const char *any)
{
	if (s->n == 0 || s->p[0] == '\0' || strchr(any, s->p[0]) == NULL)
		return false;
	s->p++;
	s->n--;
	return true;
}

static int
days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : days[month - 1];
}

static bool
take_date(struct slice *s)
{
	int	 year, month, day;

	return take_number(s, 4, &year) && take_char(s, "-") && take_number(s, 2, &month) && take_char(s, "-") &&
	    take_number(s, 2, &day) && month >= 1 && month <= 12 && day >= 1 && day <= days_of(year, month);
}

/* Minutes from UTC. */
static bool
take_zone(struct slice *s, int *minutes_r)
{
	bool	 west = s->n > 0 && s->p[0] == '-';
	int	 hours, minutes;

	*minutes_r = 0;
	if (take_char(s, "zZ"))
		return true;
	if (!take_char(s, "+-") || !take_number(s, 2, &hours) || !take_char(s, ":") || !take_number(s, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*minutes_r = (hours * 60 + minutes) * (west ? -1 : 1);
	return true;
}

static bool
take_time(struct slice *s)
{
	int	 hour, minute, second, zone, unused;

	if (!take_number(s, 2, &hour) || !take_char(s, ":") || !take_number(s, 2, &minute) || !take_char(s, ":") ||
	    !take_number(s, 2, &second) || hour > 23 || minute > 59 || second > 60)
		return false;
	if (take_char(s, ".")) {
		if (!take_number(s, 1, &unused))
			return false;
		while (take_number(s, 1, &unused))
			;
	}
	if (!take_zone(s, &zone))
		return false;
	/* a leap second is the last one of a day of UTC */
	return second < 60 || (hour * 60 + minute - zone + 2 * 1440) % 1440 == 1439;
}

bool
format_date(struct slice s)
{
	return take_date(&s) && s.n == 0;
}

bool
format_time(struct slice s)
{
	return take_time(&s) && s.n == 0;
}

bool
format_date_time(struct slice s)
{
	return take_date(&s) && take_char(&s, "tT") && take_time(&s) && s.n == 0;
}

/* Numbers with these units, in their order, at least one of them; the smallest may not leave one out in between. */
static bool
take_units(struct slice *s, const char *units)
{
	size_t	 n = 0;
	int	 unused;

	for (; s->n > 0 && is_digit(s->p[0]); n++) {
		while (take_number(s, 1, &unused))
			;
		while (n == 0 && *units != '\0' && s->n > 0 && *units != s->p[0])
			units++;
		if (*units == '\0' || s->n == 0 || s->p[0] != *units)
			return false;
		units++;
		s->p++;
		s->n--;
	}
	return n > 0;
}

bool
format_duration(struct slice s)
{
	bool	 any;

	if (!take_char(&s, "P"))
		return false;
	if (s.n > 1 && s.p[s.n - 1] == 'W')
		return take_units(&s, "W") && s.n == 0;
	any = s.n > 0 && s.p[0] != 'T' && take_units(&s, "YMD");
	if (!any && (s.n == 0 || s.p[0] != 'T'))
		return false;
	if (s.n == 0)
		return true;
	return take_char(&s, "T") && take_units(&s, "HMS") && s.n == 0;
}
