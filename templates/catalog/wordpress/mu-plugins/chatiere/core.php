<?php
/**
 * The core is part of the image: it is neither looked for nor offered inside the
 * site. Plugins and themes stay in the association's hands.
 */

defined('ABSPATH') || exit;

add_filter('pre_site_transient_update_core', static function (): object {
    return (object) [
        'updates' => [],
        'version_checked' => wp_get_wp_version(),
        'last_checked' => time(),
    ];
});

add_action('init', static function (): void {
    remove_action('wp_version_check', 'wp_version_check');
    remove_action('admin_init', '_maybe_update_core');
    remove_action('init', 'wp_schedule_update_checks');
    foreach (['wp_update_plugins' => HOUR_IN_SECONDS, 'wp_update_themes' => 2 * HOUR_IN_SECONDS] as $event => $delay) {
        if (!wp_next_scheduled($event) && !wp_installing()) {
            wp_schedule_event(time() + $delay, 'twicedaily', $event);
        }
    }
}, 1);

add_filter('map_meta_cap', static function (array $caps, string $cap): array {
    return $cap === 'update_core' ? ['do_not_allow'] : $caps;
}, 10, 2);

// These tests ask for what the host does in another way.
add_filter('site_status_tests', static function (array $tests): array {
    unset(
        $tests['async']['background_updates'],
        $tests['direct']['background_updates'],
        $tests['direct']['wordpress_version'],
        $tests['direct']['update_temp_backup_writable']
    );
    return $tests;
});

// Plugins and Site Health ask wp-cron.php whether scheduled tasks run and whether the site can ask itself. Nobody may ask
// for it from outside: the worker runs what is due. So the test of the way goes to an address that answers, and the others
// hear what is true: all is taken care of.
add_filter('pre_http_request', static function ($answer, array $args, string $url) {
    if (strtok($url, '?') !== site_url('wp-cron.php')) {
        return $answer;
    }
    $body = $args['body'] ?? null;
    if (is_array($body) && ($body['site-health'] ?? '') === 'loopback-test') {
        return wp_remote_get(rest_url(), ['body' => null, 'method' => 'GET'] + $args);
    }
    return [
        'headers' => new WpOrg\Requests\Utility\CaseInsensitiveDictionary(), 'body' => '', 'cookies' => [], 'filename' => null,
        'response' => ['code' => 200, 'message' => 'OK'], 'http_response' => null,
    ];
}, 10, 3);

// Remote publishing is refused by the server; nothing should advertise it.
add_filter('xmlrpc_enabled', '__return_false');
add_filter('wp_headers', static function (array $headers): array {
    unset($headers['X-Pingback']);
    return $headers;
});
remove_action('wp_head', 'rsd_link');
remove_action('wp_head', 'wp_generator');
