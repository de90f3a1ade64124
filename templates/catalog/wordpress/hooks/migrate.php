<?php
/** Brings the database to the schema of this code; nothing to do is success. */

require __DIR__ . '/lib.php';

lock('install');
if (!installed()) {
    fail('the site is not installed');
}
$before = (int) option('db_version');
if ($before > code_version()['schema']) {
    fail('the database is newer than the code', 3);
}
define('WP_INSTALLING', true);
require __DIR__ . '/load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_upgrade();
flush_rewrite_rules(false);
print_json(['from' => $before, 'to' => (int) option('db_version')]);
