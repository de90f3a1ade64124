<?php
/**
 * Installs the site, or finishes nothing and says so when it is installed.
 *
 * Killed at any instant, it can be run again: a table made first and dropped
 * last says that an installation is under way, and only then does a new run
 * empty the database before it begins again. A database that has tables but
 * not that one belongs to somebody and is left alone.
 */

require __DIR__ . '/lib.php';

lock('install');
if (installed()) {
    print_json(['installed' => true, 'changed' => false]);
    exit(0);
}
$title = setting('SITE_TITLE');
$locale = setting('SITE_LOCALE', 'fr_FR');
$timezone = setting('SITE_TIMEZONE', 'Europe/Paris');
$admin = setting('ADMIN_USER');
$email = setting('ADMIN_EMAIL');
$password = secret('ADMIN_PASSWORD_FILE');

$tables = tables();
if ($tables !== [] && !in_array(BEGUN, $tables, true)) {
    fail('the database holds tables that no installation of ours made', 3);
}
database()->query('CREATE TABLE IF NOT EXISTS ' . BEGUN . ' (begun DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP) COMMENT "dropped when the installation is complete"');
database()->query('SET foreign_key_checks = 0');
foreach (array_diff($tables, [BEGUN]) as $table) {
    database()->query('DROP TABLE IF EXISTS `' . str_replace('`', '``', $table) . '`');
}

foreach (['plugins', 'themes', 'uploads', 'languages', 'upgrade'] as $directory) {
    $path = data_dir() . "/wp-content/$directory";
    if (!is_dir($path) && !mkdir($path, 0750, true)) {
        fail("making $path failed");
    }
}

define('WP_INSTALLING', true);
$GLOBALS['locale'] = $locale;
require __DIR__ . '/load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require __DIR__ . '/content.php';

$wpdb->hide_errors();
$query = static function (string $statement) use ($wpdb): void {
    if ($wpdb->query($statement) === false) {
        fail("installing: {$wpdb->last_error}");
    }
};
foreach (array_filter(array_map('trim', explode(';', wp_get_db_schema('all')))) as $statement) {
    $query($statement);
}

$query('START TRANSACTION');
populate_options([
    'siteurl' => WP_SITEURL,
    'home' => WP_HOME,
    'blogname' => $title,
    'blogdescription' => '',
    'blog_public' => '1',
    'admin_email' => $email,
    'WPLANG' => $locale === 'en_US' ? '' : $locale,
    'timezone_string' => $timezone,
    'gmt_offset' => '',
    'permalink_structure' => '/%postname%/',
    'date_format' => __('F j, Y'),
    'time_format' => __('g:i a'),
    'template' => WP_DEFAULT_THEME,
    'stylesheet' => WP_DEFAULT_THEME,
    'template_root' => '/opt/wordpress/wp-content/themes',
    'stylesheet_root' => '/opt/wordpress/wp-content/themes',
    'show_avatars' => '0',
    'default_pingback_flag' => '0',
    'default_ping_status' => 'closed',
    'comment_moderation' => '1',
    'fresh_site' => '0',
]);
populate_roles();
$user = wp_insert_user([
    'user_login' => $admin,
    'user_pass' => $password,
    'user_email' => $email,
    'role' => 'administrator',
    'locale' => '',
]);
if (is_wp_error($user)) {
    fail('creating the administrator: ' . $user->get_error_message());
}
first_content($user, $title);
$GLOBALS['wp_rewrite']->init();
flush_rewrite_rules(false);
$query('COMMIT');

if ($wpdb->get_var("SELECT COUNT(*) FROM $wpdb->usermeta WHERE user_id = " . (int) $user . " AND meta_key = '{$wpdb->prefix}capabilities'") !== '1') {
    fail('the administrator has no rights');
}
wp_cache_flush();
database()->query('DROP TABLE ' . BEGUN);
print_json(['installed' => true, 'changed' => true]);
