function process_role(role, text, post) {
    if (role === "fail") {
        throw new Error("no post " + post.id);
    }
    return "<tt>" + text + "</tt>";
}

function call_back(count, title) {
    var last = "";
    for (var i = 0; i < count; i++) {
        last = title(42);
    }
    return last;
}
