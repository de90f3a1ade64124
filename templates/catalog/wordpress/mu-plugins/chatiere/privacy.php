<?php
/**
 * A visitor's browser asks nobody but this site: WordPress would fetch emoji from
 * one company and avatars from another, which takes a consent that nobody gave.
 */

defined('ABSPATH') || exit;

foreach (['wp_head' => 7, 'embed_head' => 10, 'admin_print_scripts' => 10] as $place => $priority) {
    remove_action($place, 'print_emoji_detection_script', $priority);
}
add_action('init', static function (): void {
    remove_action('wp_enqueue_scripts', 'wp_enqueue_emoji_styles');
    remove_action('admin_enqueue_scripts', 'wp_enqueue_emoji_styles');
    remove_action('wp_print_styles', 'print_emoji_styles');
    remove_filter('the_content_feed', 'wp_staticize_emoji');
    remove_filter('comment_text_rss', 'wp_staticize_emoji');
    remove_filter('wp_mail', 'wp_staticize_emoji_for_email');
});
add_filter('emoji_svg_url', '__return_false');
