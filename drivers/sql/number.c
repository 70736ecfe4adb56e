/*
 * Numbers keep their text until a destination's type is known.  What a type
 * would round is found here, by comparing decimal digits: a double that
 * comes back as other digits than it was made from does not hold the value.
 */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/sql/number.h"
#include "ipc/base/json_bytes.h"

#define MAX_DIGITS	40	/* significant ones; more never fit any type */
#define MAX_EXPONENT	100000

/* digits × 10^exponent, no zeros at either end of digits; n == 0 is zero. */
struct decimal {
	bool	 negative;
	bool	 fits;		/* false: too many digits or too large an exponent */
	int	 n;
	long	 exponent;
	char	 digits[MAX_DIGITS];
};

static const char *
digits_end(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* Reads the exponent after e or E; NULL when there is none. */
static const char *
read_exponent(const char *p, const char *end, long *out_r)
{
	bool		 negative = false;
	const char	*start;

	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	for (start = p, *out_r = 0; p < end && is_digit(*p); p++)
		if (*out_r < MAX_EXPONENT)
			*out_r = *out_r * 10 + (*p - '0');
	if (negative)
		*out_r = -*out_r;
	return p == start ? NULL : p;
}

static void
add_digits(struct decimal *d, const char *p, const char *end, long *zeros)
{
	for (; p < end; p++) {
		if (*p == '0') {
			*zeros += d->n > 0;	/* leading ones say nothing */
			continue;
		}
		if (d->n + *zeros >= MAX_DIGITS) {
			d->fits = false;
			return;
		}
		for (; *zeros > 0; (*zeros)--)
			d->digits[d->n++] = '0';
		d->digits[d->n++] = *p;
	}
}

static bool
decimal_parse(struct decimal *d, struct slice text)
{
	const char	*p = text.p, *end = text.p + text.n, *whole, *dot, *fraction;
	long		 zeros = 0, exponent = 0;

	*d = (struct decimal){ .fits = true };
	if (p < end && *p == '-') {
		d->negative = true;
		p++;
	}
	whole = p;
	dot = fraction = p = digits_end(p, end);
	if (p == whole || (*whole == '0' && p - whole > 1))
		return false;
	if (p < end && *p == '.') {
		fraction = ++p;
		if ((p = digits_end(p, end)) == fraction)
			return false;
	}
	add_digits(d, whole, dot, &zeros);
	add_digits(d, fraction, p, &zeros);
	d->exponent = zeros - (p - fraction);
	if (p < end && (*p == 'e' || *p == 'E') && (p = read_exponent(p + 1, end, &exponent)) == NULL)
		return false;
	d->exponent = d->n == 0 ? 0 : d->exponent + exponent;
	if (labs(d->exponent) >= MAX_EXPONENT)
		d->fits = false;
	return p == end;
}

static bool
decimal_eq(const struct decimal *a, const struct decimal *b)
{
	if (a->n == 0 || b->n == 0)
		return a->n == b->n;
	return a->negative == b->negative && a->n == b->n && a->exponent == b->exponent &&
	    memcmp(a->digits, b->digits, (size_t)a->n) == 0;
}

bool
sql_number_is(struct slice text)
{
	struct decimal	 d;

	return text.n > 0 && decimal_parse(&d, text);
}

/* Most integers: at most 18 digits, nothing else but a sign. */
static bool
plain_i64(struct slice text, int64_t *out_r)
{
	const char	*p = text.p, *end = p + text.n;
	bool		 negative = text.n > 0 && *p == '-';
	int64_t		 v = 0;

	p += negative;
	if (p == end || end - p > 18 || (*p == '0' && end - p > 1))
		return false;
	for (; p < end; p++) {
		if (!is_digit(*p))
			return false;
		v = v * 10 + (*p - '0');
	}
	*out_r = negative ? -v : v;
	return true;
}

bool
sql_number_i64(struct slice text, int64_t *out_r)
{
	struct decimal	 d;
	uint64_t	 v = 0, limit;

	if (plain_i64(text, out_r))
		return true;
	if (text.n == 0 || !decimal_parse(&d, text) || !d.fits || d.exponent < 0 || d.n + d.exponent > 19)
		return false;
	for (long i = 0; i < d.n + d.exponent; i++)	/* 19 digits fit 64 bits without sign */
		v = v * 10 + (uint64_t)(i < d.n ? d.digits[i] - '0' : 0);
	limit = (uint64_t)INT64_MAX + (d.negative ? 1 : 0);
	if (v > limit)
		return false;
	*out_r = d.negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

#define EXACT_POWERS	22	/* of ten, which a double holds exactly */

/* An integer and a power of ten that are both exact make one rounding, which is the right one. */
static double
small_to_double(const struct decimal *d)
{
	static const double	 powers[EXACT_POWERS + 1] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	int64_t			 i = 0;
	double			 v;

	for (int k = 0; k < d->n; k++)
		i = i * 10 + (d->digits[k] - '0');
	v = d->exponent < 0 ? (double)i / powers[-d->exponent] : (double)i * powers[d->exponent];
	return d->negative ? -v : v;
}

/* digits × 10^exponent, if need be as text for strtod(). */
static double
decimal_to_double(const struct decimal *d)
{
	char	 text[MAX_DIGITS + 32];

	if (FLT_EVAL_METHOD == 0 && d->n <= DBL_DIG && labs(d->exponent) <= EXACT_POWERS)
		return small_to_double(d);
	(void)snprintf(text, sizeof(text), "%s%.*se%ld", d->negative ? "-" : "", d->n, d->digits, d->exponent);
	return strtod(text, NULL);
}

/* The shortest text that reads back as v has the digits of d. */
static bool
prints_as(double v, const struct decimal *d)
{
	struct decimal	 back;
	char		 text[40];

	/* Tiny doubles have fewer digits, some only one. */
	for (int precision = fabs(v) < DBL_MIN ? 1 : DBL_DIG; precision <= DBL_DECIMAL_DIG; precision++) {
		(void)snprintf(text, sizeof(text), "%.*e", precision - 1, v);
		if (strtod(text, NULL) == v)
			return decimal_parse(&back, slice_of(text)) && decimal_eq(&back, d);
	}
	return false;
}

bool
sql_number_double(struct slice text, double *out_r)
{
	struct decimal	 d;
	double		 v;

	if (text.n == 0 || !decimal_parse(&d, text) || !d.fits)
		return false;
	v = d.n == 0 ? 0.0 : decimal_to_double(&d);
	if (!isfinite(v))
		return false;
	/* 15 digits always survive, unless the exponent left the normal range. */
	if (d.n > 0 && (d.n > DBL_DIG || fabs(v) < DBL_MIN) && !prints_as(v, &d))
		return false;
	*out_r = v;
	return true;
}

bool
sql_number_decimals(struct slice text, long *decimals_r)
{
	struct decimal	 d;

	if (text.n == 0 || !decimal_parse(&d, text) || !d.fits)
		return false;
	*decimals_r = d.exponent < 0 ? -d.exponent : 0;
	return true;
}

bool
sql_number_float(struct slice text)
{
	struct decimal	 d;
	double		 v;

	if (text.n == 0 || !decimal_parse(&d, text) || !d.fits || d.n > FLT_DIG)
		return false;
	v = d.n == 0 ? 0.0 : fabs(decimal_to_double(&d));
	return d.n == 0 || (v >= (double)FLT_MIN && v <= (double)FLT_MAX);
}

bool
sql_number_decimal(struct slice text, unsigned precision, unsigned scale)
{
	struct decimal	 d;

	if (text.n == 0 || !decimal_parse(&d, text) || !d.fits)
		return false;
	return d.n == 0 || (d.exponent >= -(long)scale && d.n + d.exponent <= (long)precision - (long)scale);
}
