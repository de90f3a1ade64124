<?php
/**
 * Pictures are decoded one at a time: one of a telephone takes 50 to 200 MB of
 * memory, and the site's whole container has little more.
 */

defined('ABSPATH') || exit;

// Not earlier: the class extends one that WordPress loads when it first needs it. By name, as WordPress may know the
// choice from its cache and not ask the filter.
spl_autoload_register(static function (string $class): void {
    if ($class === 'Chatiere_Picture_Editor') {
        require_once ABSPATH . WPINC . '/class-wp-image-editor.php';
        require_once ABSPATH . WPINC . '/class-wp-image-editor-gd.php';
        require __DIR__ . '/picture-editor.php';
    }
});

add_filter('wp_image_editors', static fn (array $editors): array => array_map(
    static fn ($editor) => $editor === 'WP_Image_Editor_GD' ? 'Chatiere_Picture_Editor' : $editor,
    $editors
));

/** Photographs of telephones that neither browsers nor this server can show are refused with words that say what to do. */
function chatiere_refuse_heic(array $file): array
{
    if (preg_match('/\.hei[cf]s?$/i', (string) ($file['name'] ?? '')) && !wp_image_editor_supports(['mime_type' => 'image/heic'])) {
        $file['error'] = chatiere_french()
            ? 'Cette photo est au format HEIC, que les navigateurs ne montrent pas. Enregistrez-la en JPEG, ou réglez le téléphone sur « Le plus compatible », puis envoyez-la de nouveau.'
            : 'This photo is in the HEIC format, which browsers do not show. Save it as JPEG, or set the telephone to “Most compatible”, and upload it again.';
    }
    return $file;
}

add_filter('wp_handle_upload_prefilter', 'chatiere_refuse_heic');
add_filter('wp_handle_sideload_prefilter', 'chatiere_refuse_heic');
// WordPress's own refusal of the same comes first otherwise, and is not translated.
add_filter('wp_prevent_unsupported_mime_type_uploads', static fn ($prevent, $type = null) => $prevent && !preg_match('~^image/hei[cf]~', (string) $type), 10, 2);

/**
 * The month's directory is made by whichever upload comes first. WordPress takes it for a failure when another one makes
 * it at the same moment, as the first pictures of a month do that come side by side.
 */
function chatiere_make_upload_dir(array $uploads): array
{
    for ($try = 0; $try < 5 && !is_dir($uploads['path']); $try++) {
        @mkdir($uploads['path'], 0755, true);
        clearstatcache();
    }
    return $uploads;
}

function chatiere_before_upload(array $file): array
{
    add_filter('upload_dir', 'chatiere_make_upload_dir', PHP_INT_MAX);
    return $file;
}
add_filter('wp_handle_upload_prefilter', 'chatiere_before_upload');
add_filter('wp_handle_sideload_prefilter', 'chatiere_before_upload');
