/* Decimal numbers of any length, held against each other digit by digit. */

#include "worker/rules/number.h"

#define POINT_MOST	((int64_t)1 << 60)

static int64_t
read_exponent(const char *p, const char *end)
{
	bool	 negative = p < end && *p == '-';
	int64_t	 e = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
		if (e < POINT_MOST / 16)
			e = e * 10 + (*p - '0');
	return negative ? -e : e;
}

void
number_read(struct number *x, struct slice text)
{
	const char	*p = text.p, *end = text.p + text.n, *first = NULL, *last = NULL, *dot = NULL, *at;

	*x = (struct number){ .negative = p < end && *p == '-' };
	for (at = p + x->negative; at < end && *at != 'e' && *at != 'E'; at++) {
		if (*at == '.')
			dot = at;
		else if (*at != '0') {
			first = first == NULL ? at : first;
			last = at;
		}
	}
	if (first == NULL) {
		x->negative = false;	/* -0 is 0 */
		return;
	}
	if (dot == NULL)
		dot = at;
	x->p = first;
	x->n = (uint32_t)(last - first + 1);
	x->dot = x->n;
	if (dot > first && dot < last) {
		x->dot = (uint32_t)(dot - first);
		x->n--;
	}
	/* digits between the first one and the dot; when that stands in front, zeros behind it */
	x->point = dot > first ? dot - first : -(first - dot - 1);
	if (at < end)
		x->point += read_exponent(at + 1, end);
}

static inline unsigned
digit(const struct number *x, uint32_t i)
{
	return i >= x->n ? 0 : (unsigned)(x->p[i + (i >= x->dot)] - '0');
}

int
number_cmp(const struct number *a, const struct number *b)
{
	int		 sign_a = a->n == 0 ? 0 : a->negative ? -1 : 1, sign_b = b->n == 0 ? 0 : b->negative ? -1 : 1;
	uint32_t	 most = a->n > b->n ? a->n : b->n;

	if (sign_a != sign_b || sign_a == 0)
		return sign_a < sign_b ? -1 : sign_a > sign_b;
	if (a->point != b->point)
		return a->point < b->point ? -sign_a : sign_a;
	for (uint32_t i = 0; i < most; i++)
		if (digit(a, i) != digit(b, i))
			return digit(a, i) < digit(b, i) ? -sign_a : sign_a;
	return 0;
}

bool
number_is_integer(const struct number *x)
{
	return x->n == 0 || x->point >= (int64_t)x->n;
}

uint64_t
number_hash(const struct number *x)
{
	uint64_t	 h = (uint64_t)x->point * 2 + x->negative;

	for (uint32_t i = 0; i < x->n; i++)
		h = h * UINT64_C(1099511628211) + digit(x, i);
	return h;
}

bool
number_u64(const struct number *x, uint64_t *out_r)
{
	uint64_t	 v = 0;

	if (x->negative || !number_is_integer(x) || x->point > 20)
		return false;
	for (uint32_t i = 0; (int64_t)i < x->point; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit(x, i), &v))
			return false;
	*out_r = v;
	return true;
}

static uint64_t
times(uint64_t a, uint64_t b, uint64_t m)
{
	return (uint64_t)((unsigned __int128)a * b % m);
}

static uint64_t
ten_to(uint64_t e, uint64_t m)
{
	uint64_t	 r = 1 % m;

	for (uint64_t base = 10 % m; e > 0; e /= 2, base = times(base, base, m))
		if (e % 2 == 1)
			r = times(r, base, m);
	return r;
}

bool
number_is_multiple(const struct number *a, const struct number *b)
{
	uint64_t	 divisor = 0, rest = 0;
	/* as integers without zeros at their end, times ten to the power of these */
	int64_t		 ten_a = a->point - (int64_t)a->n, ten_b = b->point - (int64_t)b->n;

	if (a->n == 0)
		return true;
	if (ten_a < ten_b)
		return false;		/* no digit at the end of `a` is 0 */
	for (uint32_t i = 0; i < b->n; i++)
		divisor = divisor * 10 + digit(b, i);
	for (uint32_t i = 0; i < a->n; i++)
		rest = (times(rest, 10, divisor) + digit(a, i)) % divisor;
	return times(rest, ten_to((uint64_t)(ten_a - ten_b), divisor), divisor) == 0;
}
