/* Date-times. */

#include <stdio.h>

#include "drivers/mysql/mysql_time.h"

#define MINUTES_PER_DAY	1440

struct time_parts {
	int		 year, month, day, hour, minute, second;
	struct slice	 fraction;	/* digits */
	int		 offset;	/* minutes east */
};

/* Exactly n digits. */
static bool
take_digits(struct slice *rest, size_t n, int *out_r)
{
	int	v = 0;

	if (rest->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (rest->p[i] < '0' || rest->p[i] > '9')
			return false;
		v = v * 10 + (rest->p[i] - '0');
	}
	*rest = (struct slice){ rest->p + n, rest->n - n };
	*out_r = v;
	return true;
}

static bool
take_one_of(struct slice *rest, const char *set)
{
	if (rest->n == 0 || rest->p[0] == '\0' || strchr(set, rest->p[0]) == NULL)
		return false;
	*rest = (struct slice){ rest->p + 1, rest->n - 1 };
	return true;
}

static bool
take_fraction(struct slice *rest, struct slice *fraction_r)
{
	size_t	 n = 0;

	*fraction_r = (struct slice){ rest->p, 0 };
	if (!take_one_of(rest, "."))
		return true;
	while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
		n++;
	*fraction_r = (struct slice){ rest->p, n };
	*rest = (struct slice){ rest->p + n, rest->n - n };
	return n > 0;
}

static bool
take_offset(struct slice *rest, int *minutes_r)
{
	int	 hours, minutes, sign;

	*minutes_r = 0;
	if (rest->n == 0 || take_one_of(rest, "Zz"))
		return true;
	sign = rest->p[0] == '-' ? -1 : 1;
	if (!take_one_of(rest, "+-") || !take_digits(rest, 2, &hours) || !take_one_of(rest, ":") ||
	    !take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*minutes_r = sign * (hours * 60 + minutes);
	return true;
}

static int
days_in(int year, int month)
{
	static const int	 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool			 leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool
parse(struct slice rest, struct time_parts *t)
{
	*t = (struct time_parts){ .fraction = { rest.p, 0 } };
	if (!take_digits(&rest, 4, &t->year) || !take_one_of(&rest, "-") || !take_digits(&rest, 2, &t->month) ||
	    !take_one_of(&rest, "-") || !take_digits(&rest, 2, &t->day))
		return false;
	if (t->year < 1 || t->month < 1 || t->month > 12 || t->day < 1 || t->day > days_in(t->year, t->month))
		return false;
	if (rest.n == 0)
		return true;
	return take_one_of(&rest, "Tt ") && take_digits(&rest, 2, &t->hour) && take_one_of(&rest, ":") &&
	    take_digits(&rest, 2, &t->minute) && take_one_of(&rest, ":") && take_digits(&rest, 2, &t->second) &&
	    t->hour < 24 && t->minute < 60 && t->second < 60 && take_fraction(&rest, &t->fraction) &&
	    take_offset(&rest, &t->offset) && rest.n == 0;
}

static void
next_day(struct time_parts *t)
{
	if (++t->day <= days_in(t->year, t->month))
		return;
	t->day = 1;
	if (++t->month > 12) {
		t->month = 1;
		t->year++;
	}
}

static void
day_before(struct time_parts *t)
{
	if (--t->day > 0)
		return;
	if (--t->month < 1) {
		t->month = 12;
		t->year--;
	}
	t->day = days_in(t->year, t->month);
}

/* An offset is less than a day. */
static bool
to_utc(struct time_parts *t)
{
	int	 minutes = t->hour * 60 + t->minute - t->offset;

	if (minutes < 0)
		day_before(t);
	else if (minutes >= MINUTES_PER_DAY)
		next_day(t);
	minutes = (minutes + MINUTES_PER_DAY) % MINUTES_PER_DAY;
	t->hour = minutes / 60;
	t->minute = minutes % 60;
	return t->year >= 1 && t->year <= 9999;
}

static void
strip_zeros(struct slice *fraction)
{
	while (fraction->n > 0 && fraction->p[fraction->n - 1] == '0')
		fraction->n--;
}

enum my_time_fit
my_time_convert(struct slice text, unsigned digits, char store[MY_TIME_MAX], struct slice *text_r)
{
	struct time_parts	 t;
	enum my_time_fit	 fit = MY_TIME_FITS;
	size_t			 given;
	int			 n;

	if (!parse(text, &t) || !to_utc(&t))
		return MY_TIME_NONE;
	given = t.fraction.n;
	strip_zeros(&t.fraction);
	if (t.fraction.n > digits) {
		t.fraction.n = digits;
		strip_zeros(&t.fraction);
		fit = MY_TIME_FINER;
	}
	if (t.offset == 0 && given <= digits && text.n > 1 && text.p[text.n - 1] == 'Z') {
		*text_r = (struct slice){ text.p, text.n - 1 };		/* a T in the middle is understood, a Z is not */
		return fit;
	}
	n = snprintf(store, MY_TIME_MAX, "%04d-%02d-%02d %02d:%02d:%02d%s%.*s", t.year, t.month, t.day, t.hour, t.minute,
	    t.second, t.fraction.n > 0 ? "." : "", (int)t.fraction.n, t.fraction.p);
	*text_r = (struct slice){ store, (size_t)n };
	return fit;
}
