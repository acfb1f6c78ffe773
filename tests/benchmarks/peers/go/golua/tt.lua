function process_role(role, text, post)
    if role == "fail" then
        error("no post " .. post.id)
    end
    return "<tt>" .. text .. "</tt>"
end

function call_back(count, title)
    local last = ""
    for _ = 1, count do
        last = title(42)
    end
    return last
end
