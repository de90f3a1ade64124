<?php
/**
 * Debian packages part of the translations only. The whole of them is fetched once
 * a day at most, when the way out allows it, for the release that the image holds;
 * until then, and in between, the bundled ones serve.
 */

defined('ABSPATH') || exit;

const CHATIERE_LANGUAGES = 'chatiere_languages';

add_action('init', static function (): void {
    if (!wp_installing() && !wp_next_scheduled(CHATIERE_LANGUAGES)) {
        wp_schedule_event(time() + 10 * MINUTE_IN_SECONDS, 'daily', CHATIERE_LANGUAGES);
    }
});

/** What stands in the option when the newest translation of a release is in place. */
function chatiere_language_mark(object $pack): string
{
    return "{$pack->language} {$pack->version} {$pack->updated}";
}

add_action(CHATIERE_LANGUAGES, static function (): void {
    $locale = get_locale();
    if ($locale === 'en_US') {
        return;
    }
    require_once ABSPATH . 'wp-admin/includes/admin.php';
    require_once ABSPATH . 'wp-admin/includes/translation-install.php';
    require_once ABSPATH . 'wp-admin/includes/class-wp-upgrader.php';

    $answer = translations_api('core', ['version' => wp_get_wp_version()]);
    if (is_wp_error($answer)) {
        return; // Tomorrow is another day.
    }
    foreach ($answer['translations'] as $found) {
        $pack = (object) ($found + ['type' => 'core', 'slug' => 'default', 'autoupdate' => true]);
        if ($pack->language !== $locale || get_option(CHATIERE_LANGUAGES) === chatiere_language_mark($pack)) {
            continue;
        }
        $upgrader = new Language_Pack_Upgrader(new Automatic_Upgrader_Skin());
        if (is_array($upgrader->upgrade($pack, ['clear_update_cache' => false]))) {
            update_option(CHATIERE_LANGUAGES, chatiere_language_mark($pack), false);
        }
    }
});
