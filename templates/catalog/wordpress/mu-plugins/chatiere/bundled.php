<?php
/**
 * Themes and translations that come with the image. They are read where they
 * are rather than copied into /data: a copy would go stale at the next image,
 * a symbolic link would break in a backup and could be deleted by an update.
 * A theme or translation of the same name in /data wins.
 */

defined('ABSPATH') || exit;

const CHATIERE_BUNDLED = ABSPATH . 'wp-content';

register_theme_directory(CHATIERE_BUNDLED . '/themes');

// A bundled theme is updated with the image; WordPress could not write there.
add_filter('site_transient_update_themes', static function ($updates) {
    if (is_object($updates) && !empty($updates->response)) {
        $updates->response = array_filter(
            $updates->response,
            static fn (string $theme): bool => is_dir(WP_CONTENT_DIR . "/themes/$theme"),
            ARRAY_FILTER_USE_KEY
        );
    }
    return $updates;
});

/** The bundled file that stands in for a missing one of the site's languages. */
function chatiere_bundled_translation($file)
{
    if (!is_string($file) || !str_starts_with($file, WP_LANG_DIR . '/') || is_readable($file)) {
        return $file;
    }
    $bundled = CHATIERE_BUNDLED . '/languages' . substr($file, strlen(WP_LANG_DIR));
    return is_readable($bundled) ? $bundled : $file;
}

add_filter('load_textdomain_mofile', 'chatiere_bundled_translation');
add_filter('load_script_translation_file', 'chatiere_bundled_translation');

add_filter('get_available_languages', static function (array $languages): array {
    foreach (glob(CHATIERE_BUNDLED . '/languages/admin-*.mo') ?: [] as $file) {
        if (!str_starts_with(basename($file), 'admin-network-')) {
            $languages[] = substr(basename($file, '.mo'), strlen('admin-'));
        }
    }
    return array_values(array_unique($languages));
});
