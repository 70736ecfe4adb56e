/* The forms, one after the other.  How their values become a URL: fields_url.c. */

#include "drivers/fields.h"
#include "drivers/registry.h"

#define REQUIRED(n, d)		{ .name = (n), .description = (d), .required = true }
#define PRESET(n, p, d)		{ .name = (n), .description = (d), .preset = (p), .required = true }
#define OPTIONAL(n, d)		{ .name = (n), .description = (d) }
#define SECRET(n, d)		{ .name = (n), .description = (d), .secret = true }
#define PORT(p)			{ .name = "Port", .description = "The port it listens on", .preset = (p), .number = true }

static const struct driver_field eventhub_fields[] = {
	REQUIRED("Connection String", "The primary connection string of the event hub, from the Azure console"),
};

static const struct driver_field file_fields[] = {
	REQUIRED("Directory", "A directory on the machine that the server runs on"),
};

static const struct driver_field kafka_fields[] = {
	REQUIRED("Hostname", "The host name of a broker"),
	PORT("9092"),
	REQUIRED("Topic", "The topic that the changes go to"),
};

static const struct driver_field s3_fields[] = {
	REQUIRED("Bucket", "The bucket that the objects go to"),
	OPTIONAL("Prefix", "A folder within the bucket"),
	OPTIONAL("Region", "The region of the bucket, such as us-west-2"),
	SECRET("Access Key ID", "The id of an access key that may write to the bucket"),
	SECRET("Secret Access Key", "The secret of that access key"),
	OPTIONAL("Endpoint", "The host name of a compatible provider, such as storage.googleapis.com"),
};

#define DATABASE_FIELDS								\
	REQUIRED("Database", "The name of the database"),			\
	OPTIONAL("Username", "The user that the server signs in as"),		\
	SECRET("Password", "The password of that user"),			\
	REQUIRED("Hostname", "The host name or address of the database server")

static const struct driver_field mysql_fields[] = { DATABASE_FIELDS, PORT("3306") };
static const struct driver_field postgres_fields[] = { DATABASE_FIELDS, PORT("5432") };
static const struct driver_field sqlserver_fields[] = { DATABASE_FIELDS, PORT("1433") };
static const struct driver_field snowflake_fields[] = { DATABASE_FIELDS };

static const struct driver_field keypair_fields[] = {
	PRESET("Database", "DBNAME/SCHEMA", "The names of database and schema"),
	REQUIRED("Username", "The user whose public key Snowflake knows"),
	PRESET("Account", "abcdefg-ab12345", "The account identifier"),
	{ .name = "Secret", .preset = "SNOWFLAKE_SECRET_ACCESS_KEY",
	    .description = "The environment variable that holds the unencrypted private key (PKCS#8)" },
};

/* Texts that differ from the driver's own; of the others the registry knows more. */
static const struct driver_form table[] = {
	{ .scheme = "eventhub", .fields = eventhub_fields, .n_fields = NELEM(eventhub_fields) },
	{ .scheme = "file", .fields = file_fields, .n_fields = NELEM(file_fields), .example = "file://folder" },
	{ .scheme = "kafka", .fields = kafka_fields, .n_fields = NELEM(kafka_fields) },
	{ .scheme = "mysql", .tables = true, .fields = mysql_fields, .n_fields = NELEM(mysql_fields) },
	{ .scheme = "postgres", .tables = true, .fields = postgres_fields, .n_fields = NELEM(postgres_fields) },
	{ .scheme = "s3", .fields = s3_fields, .n_fields = NELEM(s3_fields) },
	{ .scheme = "snowflake", .tables = true, .fields = snowflake_fields, .n_fields = NELEM(snowflake_fields),
	    .name = "Snowflake [DEPRECATED]", .example = "snowflake://user:password@host/database",
	    .description = "Legacy sign-in with user name and password. New connections should use the key pair driver." },
	{ .scheme = "snowflake-keypair", .tables = true, .fields = keypair_fields, .n_fields = NELEM(keypair_fields),
	    .name = "Snowflake Key Pair",
	    .example = "snowflake-keypair://user@account/database/schema?secret-key=SECRET_ENV_VAR_NAME",
	    .description = "Temporary driver for moving Snowflake connections to key pair authentication." },
	{ .scheme = "sqlserver", .tables = true, .fields = sqlserver_fields, .n_fields = NELEM(sqlserver_fields) },
};

static struct driver_form forms[NELEM(table)];

static void
complete(struct driver_form *f)
{
	const struct driver_info	*info = driver_info_by_scheme(slice_of(f->scheme));

	if (info == NULL)
		return;
	if (f->name == NULL)
		f->name = info->name;
	if (f->description == NULL)
		f->description = info->description;
	if (f->example == NULL)
		f->example = info->example;
	f->help = info->help;
}

const struct driver_form *
driver_forms(size_t *n_r)
{
	if (forms[0].scheme == NULL) {
		(void)memcpy(forms, table, sizeof(table));
		for (size_t i = 0; i < NELEM(forms); i++)
			complete(&forms[i]);
	}
	*n_r = NELEM(forms);
	return forms;
}

/* An alias belongs to the form of the driver's first scheme; one with a form of its own is none. */
const struct driver_form *
driver_form_by_scheme(struct slice scheme)
{
	const struct driver_info	*info = driver_info_by_scheme(scheme);
	const struct driver_form	*all;
	size_t				 n;
	struct slice			 rest, first;

	all = driver_forms(&n);
	for (size_t i = 0; i < n; i++)
		if (slice_is(scheme, all[i].scheme))
			return &all[i];
	if (info == NULL)
		return NULL;
	rest = slice_of(info->schemes);
	(void)slice_cut(&rest, ' ', &first);
	for (size_t i = 0; i < n; i++)
		if (slice_is(first, all[i].scheme))
			return &all[i];
	return NULL;
}

bool
driver_form_is_offered(const struct driver_form *f)
{
	return driver_info_by_scheme(slice_of(f->scheme)) != NULL;
}
