<?php
/**
 * What the hooks share. They run beside the pages in the running container, or
 * alone in a one-shot container; WordPress is loaded only by those that need it.
 */

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
error_reporting(E_ALL & ~E_DEPRECATED & ~E_NOTICE);

const CODE = '/opt/wordpress/';
/** Stands while an installation has begun and has not ended. */
const BEGUN = 'chatiere_install';

set_exception_handler(static function (Throwable $fault): void {
    fail($fault->getMessage());
});

function fail(string $message, int $code = 1): never
{
    fwrite(STDERR, $message . "\n");
    exit($code);
}

function setting(string $name, ?string $default = null): string
{
    $value = getenv($name);
    if ($value === false || $value === '') {
        return $default ?? fail("$name is not set", 2);
    }
    return $value;
}

function secret(string $name): string
{
    $path = setting($name);
    $value = is_readable($path) ? rtrim((string) file_get_contents($path), "\r\n") : '';
    return $value !== '' ? $value : fail("$name names no readable secret", 2);
}

function data_dir(): string
{
    return setting('DATA_DIR', '/data');
}

function print_json(array $value): void
{
    echo json_encode($value, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR), "\n";
}

function database(): mysqli
{
    static $connection = null;
    if ($connection === null) {
        $connection = mysqli_init();
        $connection->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
        $connection->real_connect('localhost', setting('DB_USER'), secret('DB_PASSWORD_FILE'), setting('DB_NAME'), 0, setting('DB_SOCKET'));
        $connection->set_charset('utf8mb4');
    }
    return $connection;
}

/** @return list<string> */
function tables(): array
{
    return array_column(database()->query('SHOW TABLES')->fetch_all(), 0);
}

/** Installed means: it has an address and no installation is under way. */
function installed(): bool
{
    $tables = tables();
    return in_array('wp_options', $tables, true) && !in_array(BEGUN, $tables, true) && option('siteurl') !== null;
}

function option(string $name): ?string
{
    $found = database()->execute_query('SELECT option_value FROM wp_options WHERE option_name = ?', [$name])->fetch_row();
    return $found[0] ?? null;
}

/** Holds off a second hook of the same kind until this process ends; without waiting it may answer false. */
function lock(string $name, bool $wait = true): bool
{
    static $held = [];
    $held[$name] = fopen(data_dir() . "/.$name.lock", 'ce');
    if ($held[$name] === false) {
        fail("locking $name failed");
    }
    return flock($held[$name], $wait ? LOCK_EX : LOCK_EX | LOCK_NB) || ($wait && fail("locking $name failed"));
}

/** What a request to the front page would look like; WordPress reads it everywhere. */
function pretend_request(): void
{
    $url = parse_url(setting('SITE_URL'));
    $_SERVER['HTTP_HOST'] = $url['host'] . (isset($url['port']) ? ":{$url['port']}" : '');
    $_SERVER['SERVER_NAME'] = $url['host'];
    $_SERVER['HTTPS'] = $url['scheme'] === 'https' ? 'on' : '';
    $_SERVER['REQUEST_URI'] = '/';
    $_SERVER['REQUEST_METHOD'] = 'GET';
    $_SERVER['REMOTE_ADDR'] = '127.0.0.1';
    $_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
}

/** @return array{version: string, schema: int} */
function code_version(): array
{
    require CODE . 'wp-includes/version.php';
    return ['version' => $wp_version, 'schema' => (int) $wp_db_version];
}
