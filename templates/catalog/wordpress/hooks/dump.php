<?php
/**
 * Streams the database to standard output; the last line is "-- Dump completed",
 * and without it the dump isn't whole. No date in it, so that two dumps of the
 * same content are the same bytes.
 */

require __DIR__ . '/lib.php';

$other = database()->query('SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = "BASE TABLE" AND engine <> "InnoDB"')->fetch_row()[0];
$consistent = $other === '0' ? ['--single-transaction'] : ['--lock-tables'];
database()->close();

putenv('MYSQL_PWD=' . secret('DB_PASSWORD_FILE'));
pcntl_exec('/usr/bin/mariadb-dump', [
    '--no-defaults', '--socket=' . setting('DB_SOCKET'), '--user=' . setting('DB_USER'),
    ...$consistent, '--quick', '--skip-dump-date', '--triggers', '--hex-blob', '--no-tablespaces',
    '--default-character-set=utf8mb4', '--max-allowed-packet=64M', setting('DB_NAME'),
], getenv());
fail('running mariadb-dump failed');
