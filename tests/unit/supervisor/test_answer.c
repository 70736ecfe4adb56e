/* The answers on the control channel against the golden bytes. */

#include "tests/support/cmocka_all.h"
#include "tests/support/vectors.h"

#include "supervisor/hq/answer.h"

#define SID	"4641e7c5-0f86-4576-89ca-15db401aea56"

/* Takes `got` over. */
static void
golden(const char *name, struct buf *got)
{
	json_t		*root = vectors_load("tests/vectors/msgpack.json");
	const json_t	*vector = json_object_get(root, name);
	struct buf	 hex = { 0 };

	assert_non_null(vector);
	if (json_object_get(vector, "jsonText") != NULL)
		assert_slice(buf_slice(got), vectors_str(vector, "jsonText"));
	else {
		buf_hex(&hex, got->data, got->len);
		assert_slice(buf_slice(&hex), vectors_str(vector, "msgpackHex"));
	}
	buf_free(&hex);
	buf_free(got);
	json_decref(root);
}

static void
a_status_has_a_message_and_a_response_has_none(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	answer_generic(&b, true, "", SID, "restart");
	golden("restart_status", &b);
	answer_generic(&b, true, NULL, SID, "restart");
	golden("restart_response", &b);
	answer_generic(&b, false, "boom", SID, "pause");
	golden("pause_response_error", &b);
}

static void
imports_and_upgrades_and_logs_are_answered_in_the_golden_bytes(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	answer_import(&b, true, NULL, SID);
	golden("import_response_ok", &b);
	answer_import(&b, true, "Error importing data. See the error logs for more details or contact support for "
	    "further assistance.", SID);
	golden("import_response_message", &b);
	answer_upgrade(&b, true, NULL, SID, "3.0.2");
	golden("upgrade_response_ok", &b);
	answer_upgrade(&b, false, "failed to download version 3.0.2: exit status 1", SID, "3.0.2");
	golden("upgrade_response_fail", &b);
	answer_sendlogs(&b, "/logs/x/eds.log.gz", SID);
	golden("sendlogs_response", &b);
}

static void
replies_are_the_golden_texts(void **state)
{
	const struct answer_field_error wrong = { "Directory", "cannot be the root directory" };
	struct buf	 b = { 0 };

	(void)state;
	answer_configure(&b, true, NULL, "postgres://e**:s3c***@db.example.com:5432/sh**", SID, true);
	golden("configure_reply_ok", &b);
	answer_configure(&b, false, "dial tcp: lookup nope: no such host", NULL, SID, false);
	golden("configure_reply_fail", &b);
	answer_validate(&b, true, NULL, NULL, 0, SID, "s3://bucket?access-key-id=A&secret-access-key=B");
	golden("validate_reply_ok", &b);
	answer_validate(&b, false, NULL, &wrong, 1, SID, NULL);
	golden("validate_reply_field_error", &b);
	answer_validate(&b, false, "no driver registered for protocol foo", NULL, 0, SID, NULL);
	golden("validate_reply_unknown_driver", &b);
}

/* The answer of driverconfig, taken apart; the caller's. */
static json_t *
driverconfig(void)
{
	struct buf	 b = { 0 };
	json_error_t	 why;
	json_t		*doc;

	answer_driverconfig(&b, SID);
	doc = json_loadb(buf_cstr(&b), b.len, JSON_REJECT_DUPLICATES, &why);
	if (doc == NULL)
		fail_msg("%s", why.text);
	buf_free(&b);
	return doc;
}

static void
driverconfig_has_the_fields_of_the_contract_in_order(void **state)
{
	json_t		*doc = driverconfig(), *root = vectors_load("tests/vectors/driver-fields.json");
	json_t		*driver, *field;
	const char	*scheme;
	size_t		 i, n = 0;

	(void)state;
	json_object_foreach(json_object_get(doc, "drivers"), scheme, driver) {
		const json_t	*want = json_object_get(json_object_get(root, "fields"), scheme);
		const json_t	*got = json_object_get(driver, "fields");

		assert_non_null(want);
		assert_int_equal(json_array_size(got), json_array_size(want));
		json_array_foreach(got, i, field) {
			json_t	*bare = json_copy(field);

			assert_true(json_string_length(json_object_get(field, "description")) > 0);
			assert_int_equal(json_object_del(bare, "description"), 0);
			assert_true(json_equal(bare, json_array_get(want, i)));
			json_decref(bare);
		}
		n++;
	}
	assert_true(n > 0);
	json_decref(root);
	json_decref(doc);
}

static void
driverconfig_says_what_each_driver_is(void **state)
{
	static const char *const keys[] = { "scheme", "name", "description", "exampleURL", "help" };
	json_t		*doc = driverconfig(), *driver;
	const char	*scheme;

	(void)state;
	assert_slice(vectors_str(doc, "sessionId"), SLICE(SID));
	json_object_foreach(json_object_get(doc, "drivers"), scheme, driver) {
		const json_t	*meta = json_object_get(driver, "metadata");

		for (size_t i = 0; i < NELEM(keys); i++)
			assert_true(json_string_length(json_object_get(meta, keys[i])) > 0);
		assert_slice(vectors_str(meta, "scheme"), slice_of(scheme));
		assert_true(json_is_true(json_object_get(meta, "supportsImport")));
		assert_true(json_is_boolean(json_object_get(meta, "supportsMigration")));
	}
	driver = json_object_get(json_object_get(doc, "drivers"), "file");
	assert_slice(vectors_str(json_object_get(driver, "metadata"), "exampleURL"), SLICE("file://folder"));
	assert_true(json_is_false(json_object_get(json_object_get(driver, "metadata"), "supportsMigration")));
	json_decref(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_has_a_message_and_a_response_has_none),
		cmocka_unit_test(imports_and_upgrades_and_logs_are_answered_in_the_golden_bytes),
		cmocka_unit_test(replies_are_the_golden_texts),
		cmocka_unit_test(driverconfig_has_the_fields_of_the_contract_in_order),
		cmocka_unit_test(driverconfig_says_what_each_driver_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
