def figures(world, say):
    return 0
