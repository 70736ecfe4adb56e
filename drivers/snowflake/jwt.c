/* The private key, and tokens signed with it. */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/snowflake/jwt.h"
#include "ipc/base/json_out.h"

#define KEY_BITS_LEAST	2048
#define PEM_MOST	((size_t)64 * 1024)

struct snow_key {
	EVP_PKEY	*pkey;
	char		 fingerprint[64];	/* standard base64 of SHA-256 over the public key */
};

void
snow_key_free(struct snow_key **kp)
{
	if (*kp == NULL)
		return;
	EVP_PKEY_free((*kp)->pkey);
	free(*kp);
	*kp = NULL;
}

void
snow_key_fingerprint(struct buf *b, const struct snow_key *k)
{
	buf_printf(b, "SHA256:%s", k->fingerprint);
}

/* --- reading --- */

/*
 * Between the lines of dashes: base64 without anything else, in lines of 64.  A variable's value may have lost
 * its line ends or carry them as the two characters \ and n.
 */
static void
add_body(struct buf *b, struct slice body)
{
	size_t	 column = 0;

	for (size_t i = 0; i < body.n; i++) {
		char	c = body.p[i];

		if (c == '\\' && i + 1 < body.n && (body.p[i + 1] == 'n' || body.p[i + 1] == 'r')) {
			i++;
			continue;
		}
		if (isspace((unsigned char)c))
			continue;
		buf_addc(b, c);
		if (++column % 64 == 0)
			buf_addc(b, '\n');
	}
	if (column % 64 != 0)
		buf_addc(b, '\n');
}

static const char *
find(struct slice s, const char *what)
{
	return s.n == 0 ? NULL : memmem(s.p, s.n, what, strlen(what));
}

/* False: there are no lines of dashes. */
static bool
normalise(struct buf *b, struct slice pem)
{
	const char	*begin = find(pem, "-----BEGIN "), *begin_end, *end;
	struct slice	 rest;

	if (begin == NULL)
		return false;
	rest = (struct slice){ begin + 11, pem.n - (size_t)(begin + 11 - pem.p) };
	if ((begin_end = find(rest, "-----")) == NULL)
		return false;
	begin_end += 5;
	rest = (struct slice){ begin_end, pem.n - (size_t)(begin_end - pem.p) };
	if ((end = find(rest, "-----END ")) == NULL)
		return false;
	buf_add(b, begin, (size_t)(begin_end - begin));
	buf_addc(b, '\n');
	add_body(b, (struct slice){ begin_end, (size_t)(end - begin_end) });
	buf_adds(b, "-----END ");
	buf_add(b, begin + 11, (size_t)(begin_end - begin - 11));
	buf_addc(b, '\n');
	return true;
}

/* Never asks on the terminal. */
static int
give_passphrase(char *to, int size, int writing, void *arg)
{
	const char	*passphrase = arg;
	size_t		 n = passphrase == NULL ? 0 : strlen(passphrase);

	(void)writing;
	if (n == 0 || n > (size_t)size)
		return -1;
	memcpy(to, passphrase, n);
	return (int)n;
}

static int
set_fingerprint(struct snow_key *k, struct err *err)
{
	unsigned char	*der = NULL, digest[EVP_MAX_MD_SIZE];
	unsigned	 digest_n = 0;
	int		 n = i2d_PUBKEY(k->pkey, &der), rc = -1;

	if (n > 0 && EVP_Digest(der, (size_t)n, digest, &digest_n, EVP_sha256(), NULL) == 1) {
		(void)EVP_EncodeBlock((unsigned char *)k->fingerprint, digest, (int)digest_n);
		rc = 0;
	}
	OPENSSL_free(der);
	return rc == 0 ? 0 : err_set(err, ERR_NOMEM, "no memory for the private key");
}

static int
check_key(const EVP_PKEY *pkey, bool encrypted, const char *passphrase, struct err *err)
{
	if (pkey == NULL && encrypted)
		return err_set(err, ERR_CONFIG, passphrase == NULL ?
		    "the private key is encrypted: add secret-key-passphrase, or store it unencrypted" :
		    "the private key cannot be read with that secret-key-passphrase");
	if (pkey == NULL)
		return err_set(err, ERR_CONFIG, "failed to parse private key: expected the PEM text of an RSA key (PKCS#8)");
	if (EVP_PKEY_base_id(pkey) != EVP_PKEY_RSA)
		return err_set(err, ERR_CONFIG, "private key is not RSA");
	if (EVP_PKEY_bits(pkey) < KEY_BITS_LEAST)
		return err_set(err, ERR_CONFIG, "the private key has %d bits; Snowflake wants %d at least", EVP_PKEY_bits(pkey),
		    KEY_BITS_LEAST);
	return 0;
}

int
snow_key_parse(struct snow_key **key_r, struct slice pem, const char *passphrase, struct err *err)
{
	struct snow_key	*k = calloc(1, sizeof(*k));
	struct buf	 text = { 0 };
	BIO		*bio = NULL;
	char		*phrase = passphrase == NULL ? NULL : strdup(passphrase);
	int		 rc = -1;

	if (k == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the private key");
		goto out;
	}
	if (!normalise(&text, pem)) {
		err_set(err, ERR_CONFIG, "failed to decode secret: expected PEM text, which begins with -----BEGIN PRIVATE KEY-----");
		goto out;
	}
	if (text.oom || (bio = BIO_new_mem_buf(text.data, (int)text.len)) == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the private key");
		goto out;
	}
	k->pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, phrase);
	if (check_key(k->pkey, find(buf_slice(&text), "ENCRYPTED") != NULL, passphrase, err) != 0 ||
	    set_fingerprint(k, err) != 0)
		goto out;
	*key_r = k;
	k = NULL;	/* given away */
	rc = 0;
out:
	BIO_free(bio);
	buf_free_wiped(&text);
	free_wiped(phrase);
	snow_key_free(&k);
	return rc;
}

static int
read_file(struct buf *b, const char *path, struct err *err)
{
	int	 fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	ssize_t	 n = -1;

	if (fd == -1) {
		err_sys(err, "cannot read the private key from %s", path);
		goto out;
	}
	while (b->len < PEM_MOST && buf_reserve(b, 4096) && (n = read(fd, b->data + b->len, 4096)) > 0)
		b->len += (size_t)n;
	if (n < 0)
		err_sys(err, "cannot read the private key from %s", path);
	else
		rc = 0;
	(void)close(fd);
out:
	if (rc != 0 && err != NULL)
		err->code = ERR_CONFIG;
	return rc;
}

int
snow_key_load(struct snow_key **key_r, const struct snow_account *a, struct err *err)
{
	const char	*env;
	struct buf	 text = { 0 };
	int		 rc;

	if (a->key_file != NULL) {
		if ((rc = read_file(&text, a->key_file, err)) == 0 &&
		    (rc = snow_key_parse(key_r, buf_slice(&text), a->key_passphrase, err)) != 0)
			err_prefix(err, "%s", a->key_file);
		buf_free_wiped(&text);
		return rc;
	}
	if ((env = getenv(a->key_env)) == NULL || *env == '\0')
		env = getenv("SNOWFLAKE_SECRET_ACCESS_KEY");
	if (env == NULL || *env == '\0')
		return err_set(err, ERR_CONFIG, "the environment variable %s, which is to hold the private key, is not set for the "
		    "server; set it, or name a file with secret-key-file", a->key_env);
	if (snow_key_parse(key_r, slice_of(env), a->key_passphrase, err) != 0)
		return err_prefix(err, "environment variable %s", a->key_env);
	return 0;
}

/* --- tokens --- */

static void
add_base64url(struct buf *b, const void *p, size_t n)
{
	size_t	 start = b->len;

	buf_base64(b, p, n);
	for (size_t i = start; !b->oom && i < b->len; i++) {
		if (b->data[i] == '+')
			b->data[i] = '-';
		else if (b->data[i] == '/')
			b->data[i] = '_';
	}
	while (!b->oom && b->len > start && b->data[b->len - 1] == '=')
		b->len--;
}

static void
add_upper(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		buf_addc(b, (char)toupper((unsigned char)*s));
}

static void
add_claims(struct buf *b, const struct snow_key *k, const char *account_name, const char *user, int64_t iat,
    unsigned lifetime_s)
{
	struct buf	 sub = { 0 }, iss = { 0 };

	add_upper(&sub, account_name);
	buf_addc(&sub, '.');
	add_upper(&sub, user);
	buf_adds_slice(&iss, buf_slice(&sub));
	buf_addc(&iss, '.');
	snow_key_fingerprint(&iss, k);
	buf_adds(b, "{\"iss\":");
	json_out_str(b, buf_slice(&iss));
	buf_adds(b, ",\"sub\":");
	json_out_str(b, buf_slice(&sub));
	buf_printf(b, ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", iat, iat + (int64_t)lifetime_s);
	b->oom |= sub.oom || iss.oom;
	buf_free(&sub);
	buf_free(&iss);
}

static int
add_signature(struct buf *b, const struct snow_key *k, struct slice what)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	unsigned char	*sig = NULL;
	size_t		 n = 0;
	int		 rc = -1;

	if (ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
	    EVP_DigestSign(ctx, NULL, &n, (const unsigned char *)what.p, what.n) == 1 && (sig = malloc(n)) != NULL &&
	    EVP_DigestSign(ctx, sig, &n, (const unsigned char *)what.p, what.n) == 1) {
		add_base64url(b, sig, n);
		rc = 0;
	}
	free(sig);
	EVP_MD_CTX_free(ctx);
	return rc;
}

int
snow_jwt(struct buf *out, const struct snow_key *k, const char *account_name, const char *user, int64_t iat,
    unsigned lifetime_s, struct err *err)
{
	static const char	header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
	struct buf		claims = { 0 }, text = { 0 };
	int			rc = -1;

	add_claims(&claims, k, account_name, user, iat, lifetime_s);
	add_base64url(&text, header, sizeof(header) - 1);
	buf_addc(&text, '.');
	add_base64url(&text, claims.data, claims.len);
	if (!claims.oom && !text.oom) {
		buf_adds_slice(out, buf_slice(&text));
		buf_addc(out, '.');
		rc = add_signature(out, k, buf_slice(&text));
	}
	if (rc != 0 || out->oom)
		rc = err_set(err, ERR_NOMEM, "the token for Snowflake cannot be signed");
	buf_free(&claims);
	buf_free(&text);
	return rc;
}
