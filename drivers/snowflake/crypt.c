/* AES-CBC for the content, AES-ECB for its key. */

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "drivers/snowflake/crypt.h"

#define IV_BYTES	16
#define KEY_MOST	32
#define BLOCK		((size_t)64 * 1024)

static int
failed(struct err *err)
{
	return err_set(err, ERR_IO, "OpenSSL cannot encrypt a file for the stage");
}

static int
draw(uint8_t *to, size_t n, struct err *err)
{
	for (size_t got = 0; got < n; ) {
		ssize_t	r = getrandom(to + got, n - got, 0);

		if (r < 0 && errno != EINTR)
			return err_sys(err, "no random numbers for a file's key");
		got += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

static int
write_all(int fd, const uint8_t *p, size_t n, struct err *err)
{
	for (ssize_t w; n > 0; p += w, n -= (size_t)w)
		if ((w = write(fd, p, n)) < 0) {
			if (errno != EINTR)
				return err_sys(err, "cannot write an encrypted file for the stage");
			w = 0;
		}
	return 0;
}

static int
encrypt_content(EVP_CIPHER_CTX *ctx, int fd, struct slice content, struct err *err)
{
	uint8_t	*out = malloc(BLOCK + EVP_MAX_BLOCK_LENGTH);
	int	 n = 0, rc = -1;

	if (out == NULL)
		return err_set(err, ERR_NOMEM, "no memory to encrypt a file");
	while (content.n > 0) {
		size_t	take = content.n < BLOCK ? content.n : BLOCK;

		if (EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)content.p, (int)take) != 1) {
			failed(err);
			goto out;
		}
		if (write_all(fd, out, (size_t)n, err) != 0)
			goto out;
		content.p += take;
		content.n -= take;
	}
	if (EVP_EncryptFinal_ex(ctx, out, &n) != 1)
		failed(err);
	else
		rc = write_all(fd, out, (size_t)n, err);
out:
	free(out);
	return rc;
}

static int
wrap_key(EVP_CIPHER_CTX *ctx, struct snow_envelope *e, const uint8_t *file_key, size_t n, const uint8_t *master,
    struct err *err)
{
	uint8_t	 wrapped[KEY_MOST + EVP_MAX_BLOCK_LENGTH];
	int	 first = 0, last = 0;

	if (EVP_EncryptInit_ex(ctx, n == 16 ? EVP_aes_128_ecb() : EVP_aes_256_ecb(), NULL, master, NULL) != 1 ||
	    EVP_EncryptUpdate(ctx, wrapped, &first, file_key, (int)n) != 1 ||
	    EVP_EncryptFinal_ex(ctx, wrapped + first, &last) != 1)
		return failed(err);
	(void)EVP_EncodeBlock((unsigned char *)e->key, wrapped, first + last);
	return 0;
}

int
snow_encrypt(struct snow_envelope *e, int fd, struct slice content, struct slice master64, const uint8_t *fixed,
    struct err *err)
{
	EVP_CIPHER_CTX	*ctx = EVP_CIPHER_CTX_new();
	struct buf	 master = { 0 };
	uint8_t		 key[KEY_MOST + IV_BYTES];
	size_t		 n;
	int		 rc = -1;

	if (ctx == NULL || !buf_unbase64(&master, master64) || (master.len != 16 && master.len != 32)) {
		err_set(err, ERR_INVALID, "the stage's key is not one of 128 or 256 bits");
		goto out;
	}
	n = master.len;
	if (fixed != NULL)
		memcpy(key, fixed, n + IV_BYTES);
	else if (draw(key, n + IV_BYTES, err) != 0)
		goto out;
	e->bits = (unsigned)n * 8;
	(void)EVP_EncodeBlock((unsigned char *)e->iv, key + n, IV_BYTES);
	if (EVP_EncryptInit_ex(ctx, n == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc(), NULL, key, key + n) != 1)
		failed(err);
	else if (encrypt_content(ctx, fd, content, err) == 0)
		rc = wrap_key(ctx, e, key, n, master.data, err);
out:
	explicit_bzero(key, sizeof(key));
	buf_free_wiped(&master);
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

int
snow_digest(char out_r[48], struct slice content, struct err *err)
{
	unsigned char	 digest[EVP_MAX_MD_SIZE];
	unsigned	 n = 0;

	if (EVP_Digest(content.p == NULL ? "" : content.p, content.n, digest, &n, EVP_sha256(), NULL) != 1)
		return failed(err);
	(void)EVP_EncodeBlock((unsigned char *)out_r, digest, (int)n);
	return 0;
}
