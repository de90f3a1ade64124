<?php
/**
 * The same for every site: whatever differs comes from the environment and from
 * the files it names, so that the image holds nothing of any one site.
 */

(static function (): void {
    $file = static fn (string $variable): string => rtrim((string) file_get_contents((string) getenv($variable)), "\r\n");
    $key = $file('SECRET_KEY_FILE');
    if (strlen($key) < 64) {
        throw new RuntimeException('the secret key is missing or too short');
    }
    $derive = static fn (string $name): string => base64_encode(hash_hmac('sha512', "wordpress/$name", $key, true));

    $url = rtrim((string) getenv('SITE_URL'), '/');
    $data = getenv('DATA_DIR') ?: '/data';

    define('DB_NAME', getenv('DB_NAME'));
    define('DB_USER', getenv('DB_USER'));
    define('DB_PASSWORD', $file('DB_PASSWORD_FILE'));
    define('DB_HOST', 'localhost:' . getenv('DB_SOCKET'));
    define('DB_CHARSET', 'utf8mb4');
    define('DB_COLLATE', 'utf8mb4_unicode_520_ci');

    $salts = ['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'];
    foreach ($salts as $salt) {
        define($salt, $derive($salt));
    }
    define('COOKIEHASH', substr(hash('sha256', $derive('COOKIEHASH')), 0, 32));

    define('WP_HOME', $url);
    define('WP_SITEURL', $url);
    define('FORCE_SSL_ADMIN', str_starts_with($url, 'https:'));

    // The code comes with the image; plugins, themes and uploads are the site's.
    define('WP_CONTENT_DIR', "$data/wp-content");
    define('WP_CONTENT_URL', "$url/wp-content");
    define('WP_LANG_DIR', "$data/wp-content/languages");
    define('WP_TEMP_DIR', "$data/tmp/php");
    define('WPMU_PLUGIN_DIR', '/opt/chatiere/mu-plugins');
    define('WPMU_PLUGIN_URL', "$url/mu-plugins");
    define('WP_DEFAULT_THEME', 'twentytwentyfive');
    define('FS_METHOD', 'direct');
    define('FS_CHMOD_DIR', 0750);
    define('FS_CHMOD_FILE', 0640);

    // The worker runs the schedule, and a new image brings a new core.
    define('DISABLE_WP_CRON', true);
    define('WP_AUTO_UPDATE_CORE', false);
    define('DISALLOW_FILE_EDIT', true);
    define('WP_POST_REVISIONS', 20);
    define('WP_MEMORY_LIMIT', '128M');
    define('WP_MAX_MEMORY_LIMIT', '192M');

    define('WP_DEBUG', false);
    define('WP_DEBUG_DISPLAY', false);
    define('WP_DEBUG_LOG', false);
})();

$table_prefix = 'wp_';

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}

require_once ABSPATH . 'wp-settings.php';
